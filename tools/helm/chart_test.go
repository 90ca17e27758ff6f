// Package helm tests what is deployed to Kubernetes: the chart as Helm renders it, and the
// sidecar's manifest.
package helm

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"
)

const (
	root  = "../.."
	chart = root + "/deploy/helm/valkeybatch"
)

func helm(args ...string) (string, error) {
	out, err := exec.Command("go", append([]string{"tool", "helm"}, args...)...).CombinedOutput()
	return string(out), err
}

// sets are the values that the chart is tried with: files of its ci directory, with the kinds
// that each is to render.
var sets = map[string]string{
	"plain":      "ConfigMap Deployment NetworkPolicy PodDisruptionBudget Service Service ServiceAccount",
	"bare":       "ConfigMap Deployment Service Service",
	"everything": "ConfigMap Deployment HorizontalPodAutoscaler NetworkPolicy PodDisruptionBudget Service Service ServiceAccount ServiceMonitor",
}

func TestChart(t *testing.T) {
	server := filepath.Join(t.TempDir(), "server")
	build := exec.Command("go", "build", "-o", server, "./cmd/server")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for set, want := range sets {
		t.Run(set, func(t *testing.T) {
			values := filepath.Join(chart, "ci", set+"-values.yaml")
			if out, err := helm("lint", "--strict", "-f", values, chart); err != nil {
				t.Fatalf("helm lint: %v: %s", err, out)
			}
			out, err := helm("template", "release", "-f", values, chart)
			if err != nil {
				t.Fatalf("helm template: %v: %s", err, out)
			}
			r := decode(t, out)
			if got := strings.Join(r.kinds, " "); got != want {
				t.Errorf("rendered %s, want %s", got, want)
			}
			checkPod(t, r.deployment.Spec.Template.Spec)
			checkDrain(t, r)
			checkConfig(t, server, r.config.Data["config.yaml"])
			for key, value := range r.deployment.Spec.Selector.MatchLabels {
				if r.deployment.Spec.Template.Labels[key] != value {
					t.Errorf("the selector's %s is not on the pods", key)
				}
			}
			if set == "everything" && r.deployment.Spec.Replicas != nil {
				t.Error("the Deployment says how many pods there are, and so does the autoscaler")
			}
		})
	}
}

// TestRefused checks that values which cannot work are refused, and that the reason is said.
func TestRefused(t *testing.T) {
	for set, want := range map[string]string{
		"image.tag=x":                                                            "/valkey/addresses",
		"valkey.addresses={a:1},config.listen=x":                                 "invalid propertyName 'listen'",
		"valkey.addresses={a}":                                                   "/valkey/addresses/0",
		"valkey.addresses={a:1},replicas=3":                                      "replicas",
		"valkey.addresses={a:1},tls.clientCASecret=x":                            "needs tls.secret",
		"valkey.addresses={a:1},tls.secret=x,admin.enabled=false":                "needs admin.enabled",
		"valkey.addresses={a:1},serviceMonitor.enabled=true,admin.enabled=false": "needs admin.enabled",
		"valkey.addresses={a:1},resources.limits.memory=2G":                      "/resources/limits/memory",
	} {
		out, err := helm("template", "release", "--set", set, chart)
		if err == nil || !strings.Contains(out, want) {
			t.Errorf("%s: %v: %s: want an error that says %q", set, err, out, want)
		}
	}
}

func TestSidecar(t *testing.T) {
	text, err := os.ReadFile(root + "/deploy/sidecar/pod.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var pod corev1.Pod
	if err := yaml.UnmarshalStrict(text, &pod); err != nil {
		t.Fatal(err)
	}
	checkPod(t, pod.Spec)
	socket := pod.Spec.InitContainers[0].Env[0].Value
	for _, c := range append(pod.Spec.InitContainers, pod.Spec.Containers...) {
		mounted := false
		for _, m := range c.VolumeMounts {
			mounted = mounted || strings.HasPrefix(socket, "unix://"+m.MountPath+"/")
		}
		if !mounted {
			t.Errorf("%s does not see %s", c.Name, socket)
		}
	}
}

type rendered struct {
	kinds      []string
	deployment appsv1.Deployment
	config     corev1.ConfigMap
}

var separator = regexp.MustCompile(`(?m)^---$`)

// decode reads every manifest into Kubernetes' own type, in which unknown fields are errors.
func decode(t *testing.T, manifests string) rendered {
	t.Helper()
	var r rendered
	into := map[string]any{
		"Deployment": &r.deployment, "ConfigMap": &r.config, "Service": &corev1.Service{},
		"ServiceAccount": &corev1.ServiceAccount{}, "NetworkPolicy": &networkingv1.NetworkPolicy{},
		"PodDisruptionBudget":     &policyv1.PodDisruptionBudget{},
		"HorizontalPodAutoscaler": &autoscalingv2.HorizontalPodAutoscaler{},
		"ServiceMonitor":          &map[string]any{}, // a type of the Prometheus operator's
	}
	for _, text := range separator.Split(manifests, -1) {
		var head struct{ Kind string }
		if err := yaml.Unmarshal([]byte(text), &head); err != nil {
			t.Fatalf("%v:\n%s", err, text)
		}
		if head.Kind == "" {
			continue
		}
		target := into[head.Kind]
		if target == nil {
			t.Fatalf("nobody knows a %q", head.Kind)
		}
		if err := yaml.UnmarshalStrict([]byte(text), target); err != nil {
			t.Errorf("%s: %v", head.Kind, err)
		}
		r.kinds = append(r.kinds, head.Kind)
	}
	slices.Sort(r.kinds)
	return r
}

// checkPod checks that containers have no more rights than they need, and ports and volumes that
// are used by name exist.
func checkPod(t *testing.T, pod corev1.PodSpec) {
	t.Helper()
	s := pod.SecurityContext
	if s == nil || s.RunAsNonRoot == nil || !*s.RunAsNonRoot || s.SeccompProfile == nil || s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Errorf("the pod's security context is %v", s)
	}
	volumes := make(map[string]bool)
	for _, v := range pod.Volumes {
		volumes[v.Name] = true
	}
	for _, c := range append(pod.InitContainers, pod.Containers...) {
		s := c.SecurityContext
		if s == nil || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem || s.AllowPrivilegeEscalation == nil ||
			*s.AllowPrivilegeEscalation || fmt.Sprint(s.Capabilities.Drop) != "[ALL]" {
			t.Errorf("%s: its security context is %v", c.Name, s)
		}
		for _, m := range c.VolumeMounts {
			if !volumes[m.Name] {
				t.Errorf("%s mounts %s, which does not exist", c.Name, m.Name)
			}
		}
		ports := make(map[string]bool)
		for _, p := range c.Ports {
			ports[p.Name], ports[fmt.Sprint(p.ContainerPort)] = true, true
		}
		for _, p := range []*corev1.Probe{c.ReadinessProbe, c.LivenessProbe} {
			switch {
			case p == nil:
			case p.GRPC != nil && !ports[fmt.Sprint(p.GRPC.Port)],
				p.HTTPGet != nil && !ports[p.HTTPGet.Port.String()],
				p.TCPSocket != nil && !ports[p.TCPSocket.Port.String()]:
				t.Errorf("%s: the probe %v asks a port that is not the container's", c.Name, p)
			}
		}
	}
}

// checkDrain checks that a pod is left the time that its server takes to end.
func checkDrain(t *testing.T, r rendered) {
	t.Helper()
	var c struct {
		Delay   string `json:"drain-delay"`
		Timeout string `json:"drain-timeout"`
	}
	if err := yaml.Unmarshal([]byte(r.config.Data["config.yaml"]), &c); err != nil {
		t.Fatal(err)
	}
	var delay, timeout int64
	if _, err := fmt.Sscanf(c.Delay+" "+c.Timeout, "%ds %ds", &delay, &timeout); err != nil {
		t.Fatal(err)
	}
	if grace := *r.deployment.Spec.Template.Spec.TerminationGracePeriodSeconds; grace <= delay+timeout {
		t.Errorf("a grace period of %d s cuts off a drain of %d and %d s", grace, delay, timeout)
	}
}

var mounted = regexp.MustCompile(`(?m)^([a-z-]+): /etc/valkeybatch/.*\n`)

// checkConfig has the server read its configuration. What names files that are there in a pod
// only is left out, once it is sure that such a setting exists.
func checkConfig(t *testing.T, server, config string) {
	t.Helper()
	reference, err := os.ReadFile(root + "/docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mounted.FindAllStringSubmatch(config, -1) {
		if !bytes.Contains(reference, []byte("| `"+m[1]+"` |")) {
			t.Errorf("there is no setting %s", m[1])
		}
	}
	path := filepath.Join(t.TempDir(), "config.yaml")
	password := filepath.Join(filepath.Dir(path), "password")
	if err := os.WriteFile(password, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	config = strings.ReplaceAll(config, "/etc/valkeybatch/password/password", password)
	if err := os.WriteFile(path, []byte(mounted.ReplaceAllString(config, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(server, "--config", path, "--print-config").CombinedOutput(); err != nil {
		t.Errorf("the server does not take its configuration: %v: %s\n%s", err, out, config)
	}
}
