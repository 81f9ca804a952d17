package kube

import (
	"fmt"
	"maps"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab"
	"sigs.k8s.io/yaml"
)

// HelmChart is a chart that the Helm controller of k3s installs and upgrades.
type HelmChart struct {
	Name      string // of the release
	Chart     string // its name in the repository, or an oci:// reference
	Repo      string // URL; empty for an oci:// reference
	Version   string // of the chart; it is required, so that nothing is upgraded unasked
	Namespace string // where the release is; it is created

	// Values are what the chart is given, as [NewObject] takes them. Where they hold a [lab.Secret], it goes to a
	// Secret beside the HelmChart.
	Values map[string]any

	Provides []string // API groups of which the chart installs the kinds
	Keep     bool     // it is never removed, see [KeepAnnotation]
}

// chartNamespace is the one that the Helm controller of k3s watches.
const chartNamespace = "kube-system"

// Objects returns the HelmChart, and before it the Secret with its secret values, if it has any. A release
// that fails is left as it is, for somebody to look at: the controller's default is to uninstall it, with its
// data, and to install it again.
func (c HelmChart) Objects() ([]Object, error) {
	var ps lab.Problems
	for field, value := range map[string]string{"name": c.Name, "chart": c.Chart, "version": c.Version, "namespace": c.Namespace} {
		if value == "" {
			ps.Add(field, "empty")
		}
	}
	if len(ps) > 0 {
		return nil, &lab.Error{Op: "make chart", Path: c.Name, Err: ps.Err()}
	}
	open, secret := apart(c.Values)
	values, err := yaml.Marshal(open)
	if err != nil {
		return nil, &lab.Error{Op: "make chart", Path: c.Name, Err: fmt.Errorf("%w: %w", lab.ErrInvalid, err)}
	}
	spec := map[string]any{"chart": c.Chart, "version": c.Version, "targetNamespace": c.Namespace,
		"createNamespace": true, "failurePolicy": "abort"}
	if c.Repo != "" {
		spec["repo"] = c.Repo
	}
	if len(open) > 0 {
		spec["valuesContent"] = string(values)
	}
	meta := map[string]any{"name": c.Name, "namespace": chartNamespace}
	if c.Keep {
		meta["annotations"] = map[string]any{KeepAnnotation: "true"}
	}
	var before []Object
	if len(secret) > 0 {
		o, err := c.secretValues(secret)
		if err != nil {
			return nil, err
		}
		before = append(before, o)
		spec["valuesSecrets"] = []any{map[string]any{"name": o.object().GetName(), "keys": []any{secretValuesKey}}}
	}
	chart, err := NewObject(map[string]any{"apiVersion": "helm.cattle.io/v1", "kind": "HelmChart", "metadata": meta, "spec": spec})
	if err != nil {
		return nil, err
	}
	return append(before, chart.After(before...).Provides(c.Provides...)), nil
}

const secretValuesKey = "values.yaml"

func (c HelmChart) secretValues(secret map[string]any) (Object, error) {
	text, err := yaml.Marshal(revealed(secret))
	if err != nil {
		return Object{}, &lab.Error{Op: "make chart", Path: c.Name, Err: fmt.Errorf("%w: its secret values are not YAML", lab.ErrInvalid)}
	}
	o, err := NewObject(map[string]any{"apiVersion": "v1", "kind": "Secret",
		"metadata":   map[string]any{"name": c.Name + "-values", "namespace": chartNamespace},
		"stringData": map[string]any{secretValuesKey: lab.NewSecret(string(text))}})
	if err == nil {
		o.m.secrets = append(o.m.secrets, secretsIn(secret)...)
	}
	return o, err
}

// apart returns the values without secrets, and the secrets at the places where they are. A list that holds
// one goes whole: values of charts merge maps, and replace lists.
func apart(values map[string]any) (open, secret map[string]any) {
	open, secret = map[string]any{}, map[string]any{}
	for k, v := range values {
		if m, ok := v.(map[string]any); ok {
			o, s := apart(m)
			if len(s) > 0 {
				secret[k] = s
			}
			if len(o) > 0 || len(s) == 0 {
				open[k] = o
			}
			continue
		}
		if len(secretsIn(v)) > 0 {
			secret[k] = v
		} else {
			open[k] = v
		}
	}
	return open, secret
}

// secretsIn returns the secrets in a value.
func secretsIn(v any) (all []lab.Secret) {
	switch v := v.(type) {
	case lab.Secret:
		return []lab.Secret{v}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			all = append(all, secretsIn(v[k])...)
		}
	case map[string]lab.Secret:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			all = append(all, v[k])
		}
	case []any:
		for n := range v {
			all = append(all, secretsIn(v[n])...)
		}
	case []map[string]any:
		for n := range v {
			all = append(all, secretsIn(v[n])...)
		}
	}
	return all
}

// revealed returns a value with its secrets as strings.
func revealed(v any) any {
	m := &manifest{}
	return m.value("", v, &lab.Problems{})
}
