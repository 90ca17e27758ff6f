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

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/chart/common"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"
)

const (
	root      = "../.."
	directory = root + "/deploy/helm/valkeybatch"
)

// sets are the values that the chart is tried with: files of its ci directory, with the kinds
// that each is to render.
var sets = map[string]string{
	"plain":      "ConfigMap Deployment NetworkPolicy PodDisruptionBudget Service Service ServiceAccount",
	"bare":       "ConfigMap Deployment Service Service",
	"everything": "ConfigMap Deployment HorizontalPodAutoscaler NetworkPolicy PodDisruptionBudget PrometheusRule Service Service ServiceAccount ServiceMonitor",
}

func TestChart(t *testing.T) {
	server := filepath.Join(t.TempDir(), "server")
	build := exec.Command("go", "build", "-o", server, "./cmd/server")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	c := load(t)
	for set, want := range sets {
		t.Run(set, func(t *testing.T) {
			values, err := common.ReadValuesFile(filepath.Join(directory, "ci", set+"-values.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			if err := lintChart(values); err != nil {
				t.Fatalf("helm lint: %v", err)
			}
			out, err := template(c, values)
			if err != nil {
				t.Fatalf("helm template: %v", err)
			}
			r := decode(t, out)
			if got := strings.Join(r.kinds, " "); got != want {
				t.Errorf("rendered %s, want %s", got, want)
			}
			checkPod(t, r.deployment.Spec.Template.Spec)
			checkServices(t, r)
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
	c := load(t)
	for text, want := range map[string]string{
		"image.tag=x":                                                                                 "/valkey/addresses",
		"valkey.addresses={a:1},config.listen=x":                                                      "invalid propertyName 'listen'",
		"valkey.addresses={a:1},config.http-listen=x":                                                 "invalid propertyName 'http-listen'",
		"valkey.addresses={a}":                                                                        "/valkey/addresses/0",
		"valkey.addresses={a:1},replicas=3":                                                           "replicas",
		"valkey.addresses={a:1},http.port=7401":                                                       "/http/port",
		"valkey.addresses={a:1},valkey.tls.clientSecret=x":                                            "need valkey.tls.enabled",
		"valkey.addresses={a:1},tls.clientCASecret=x":                                                 "needs tls.secret",
		"valkey.addresses={a:1},tls.secret=x,admin.enabled=false":                                     "needs admin.enabled",
		"valkey.addresses={a:1},serviceMonitor.enabled=true,admin.enabled=false":                      "needs admin.enabled",
		"valkey.addresses={a:1},serviceMonitor.enabled=true":                                          "needs networkPolicy.scrapers",
		"valkey.addresses={a:1},resources.limits.memory=2G":                                           "/resources/limits/memory",
		"valkey.addresses={a:1},auth.secret.name=x,admin.enabled=false,config.auth-open=none":         "needs admin.enabled",
		"valkey.addresses={a:1},auth.secret.name=x,admin.enabled=false,config.auth-open={reflection}": "needs admin.enabled",
	} {
		_, err := template(c, set(t, text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v: want an error that says %q", text, err, want)
		}
	}
}

// TestProbes checks that the kubelet, which has no certificate and no token, is asked for neither.
func TestProbes(t *testing.T) {
	c := load(t)
	const bare = "valkey.addresses={a:1},auth.secret.name=x"
	for text, want := range map[string]string{
		bare:                            "/readyz",
		bare + ",config.auth-open=none": "/readyz",
		bare + ",tls.secret=x":          "/readyz",
		bare + ",admin.enabled=false":   "grpc",
		bare + `,admin.enabled=false,config.auth-open=reflection\, health`: "grpc",
	} {
		out, err := template(c, set(t, text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got, probe := "grpc", decode(t, out).deployment.Spec.Template.Spec.Containers[0].ReadinessProbe
		if probe.HTTPGet != nil {
			got = probe.HTTPGet.Path
		}
		if got != want {
			t.Errorf("%s: readiness asks %s, want %s", text, got, want)
		}
	}
}

// TestEverything checks what the values of ci/everything-values.yaml ask for.
func TestEverything(t *testing.T) {
	r := everything(t)

	config := r.config.Data["config.yaml"]
	for _, line := range []string{
		"valkey-tls: true", "valkey-tls-ca: /etc/valkeybatch/valkey-ca/ca.crt", "valkey-tls-cert: /etc/valkeybatch/valkey-client/tls.crt",
		"valkey-tls-key: /etc/valkeybatch/valkey-client/tls.key", "valkey-tls-server-name: valkey.example", "- 0.0.0.0:7490",
	} {
		if !strings.Contains(config, line+"\n") && !strings.HasSuffix(config, line) {
			t.Errorf("the configuration lacks %q:\n%s", line, config)
		}
	}
	if p := r.budget.Spec.UnhealthyPodEvictionPolicy; p == nil || *p != policyv1.AlwaysAllow {
		t.Errorf("pods that are not ready hold up a drain: the policy is %v", p)
	}
	if got, want := describe(r.policy.Spec.Ingress[0].Ports), "TCP/grpc TCP/http"; got != want {
		t.Errorf("callers may reach %s, want %s", got, want)
	}
	var egress []string
	for _, rule := range r.policy.Spec.Egress {
		egress = append(egress, fmt.Sprintf("%s to %d", describe(rule.Ports), len(rule.To)))
	}
	if diff := cmp.Diff([]string{"TCP/6379 TCP/6380 to 2", "TCP/53 UDP/53 to 1", "TCP/4317 to 0"}, egress); diff != "" {
		t.Errorf("the pods may go (-want +got):\n%s", diff)
	}
}

// TestAlerts checks that the chart's rules are those of the repository, and that what is scraped
// has the name that they go by.
func TestAlerts(t *testing.T) {
	text, err := os.ReadFile(root + "/deploy/prometheus/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]any
	if err := yaml.UnmarshalStrict(text, &want); err != nil {
		t.Fatal(err)
	}
	r := everything(t)
	if diff := cmp.Diff(want, r.rule["spec"]); diff != "" {
		t.Errorf("the chart's rules are not those of deploy/prometheus/alerts.yml (-file +chart):\n%s", diff)
	}
	jobs := regexp.MustCompile(`job="([^"]*)"`).FindAllStringSubmatch(string(text), -1)
	if len(jobs) == 0 {
		t.Error("no rule names a job: this test is of no use")
	}
	spec := r.monitor["spec"].(map[string]any)
	label := fmt.Sprint(spec["jobLabel"])
	scraped := 0
	for _, s := range r.services {
		if !selects(spec["selector"].(map[string]any)["matchLabels"].(map[string]any), s.Labels) {
			continue
		}
		scraped++
		for _, job := range jobs {
			if s.Labels[label] != job[1] {
				t.Errorf("the job of %s is %q (its label %s); the rules go by %q", s.Name, s.Labels[label], label, job[1])
			}
		}
	}
	if scraped != 1 {
		t.Errorf("%d services are scraped, want 1", scraped)
	}
}

func selects(wanted map[string]any, labels map[string]string) bool {
	for key, value := range wanted {
		if labels[key] != value {
			return false
		}
	}
	return true
}

func describe(ports []networkingv1.NetworkPolicyPort) string {
	var all []string
	for _, p := range ports {
		all = append(all, fmt.Sprintf("%s/%s", *p.Protocol, p.Port))
	}
	return strings.Join(all, " ")
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
	budget     policyv1.PodDisruptionBudget
	policy     networkingv1.NetworkPolicy
	services   []corev1.Service
	// Of types of the Prometheus operator's.
	monitor, rule map[string]any
}

var separator = regexp.MustCompile(`(?m)^---$`)

// everything is what the chart makes of the values of ci/everything-values.yaml.
func everything(t *testing.T) rendered {
	t.Helper()
	values, err := common.ReadValuesFile(filepath.Join(directory, "ci", "everything-values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := template(load(t), values)
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, out)
}

// decode reads every manifest into Kubernetes' own type, in which unknown fields are errors.
func decode(t *testing.T, manifests string) rendered {
	t.Helper()
	var r rendered
	into := map[string]any{
		"Deployment": &r.deployment, "ConfigMap": &r.config,
		"ServiceAccount": &corev1.ServiceAccount{}, "NetworkPolicy": &r.policy,
		"PodDisruptionBudget":     &r.budget,
		"HorizontalPodAutoscaler": &autoscalingv2.HorizontalPodAutoscaler{},
		"ServiceMonitor":          &r.monitor, "PrometheusRule": &r.rule,
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
		if head.Kind == "Service" {
			r.services = append(r.services, corev1.Service{})
			target = &r.services[len(r.services)-1]
		}
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

// checkServices checks that services lead to ports that the container has.
func checkServices(t *testing.T, r rendered) {
	t.Helper()
	has := make(map[string]bool)
	for _, p := range r.deployment.Spec.Template.Spec.Containers[0].Ports {
		has[p.Name] = true
	}
	for _, s := range r.services {
		for _, p := range s.Spec.Ports {
			if !has[p.TargetPort.String()] {
				t.Errorf("%s leads to the port %s, which is not the container's", s.Name, p.TargetPort.String())
			}
		}
	}
	for name := range has {
		if !slices.ContainsFunc(r.services, func(s corev1.Service) bool {
			return slices.ContainsFunc(s.Spec.Ports, func(p corev1.ServicePort) bool { return p.TargetPort.String() == name })
		}) {
			t.Errorf("no service leads to the container's port %s", name)
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
