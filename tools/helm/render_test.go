package helm

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	commonutil "helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
	"helm.sh/helm/v4/pkg/strvals"
)

// Helm's own packages and not its command: that one is linked with what talks to a cluster, which
// takes minutes to compile.

// load reads the chart as it is packed into an archive: what only the checkout has is not in it.
func load(t *testing.T) *chart.Chart {
	t.Helper()
	c, err := loader.Load(directory)
	if err != nil {
		t.Fatal(err)
	}
	archive, err := chartutil.Save(c, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	packed, err := loader.Load(archive)
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

// lintChart is "helm lint --strict".
func lintChart(values map[string]any) error {
	var found []error
	for _, m := range lint.RunAll(directory, values, "default").Messages {
		if m.Severity >= support.WarningSev {
			found = append(found, m)
		}
	}
	return errors.Join(found...)
}

// template is "helm template release": all manifests, one after the other.
func template(c *chart.Chart, values map[string]any) (string, error) {
	all, err := commonutil.ToRenderValues(c, values, common.ReleaseOptions{Name: "release", Namespace: "default", IsInstall: true}, nil)
	if err != nil {
		return "", err
	}
	files, err := engine.Render(c, all)
	if err != nil {
		return "", err
	}
	var names []string
	for name := range files {
		if strings.HasSuffix(name, ".yaml") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var out strings.Builder
	for _, name := range names {
		fmt.Fprintf(&out, "---\n# %s\n%s\n", name, files[name])
	}
	return out.String(), nil
}

// set is what "--set" makes of a text.
func set(t *testing.T, text string) map[string]any {
	t.Helper()
	values, err := strvals.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return values
}
