package kube_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/k3s/kube"
)

func TestParseObjects(t *testing.T) {
	for _, test := range []struct{ name, manifests, want, err string }{
		{name: "documents, some of them empty", manifests: "---\n# nothing\n---\n" +
			"{apiVersion: v1, kind: Namespace, metadata: {name: a}}\n---\n\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: b, namespace: a}\n", want: "namespace:a deployment.apps:a/b"},
		{name: "JSON", manifests: `{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}}`, want: "namespace:a"},
		{name: "a list", manifests: "{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: Namespace, metadata: {name: a}}, " +
			"{apiVersion: v1, kind: Namespace, metadata: {name: b}}]}", want: "namespace:a namespace:b"},
		{name: "Windows line ends", manifests: "apiVersion: v1\r\nkind: Namespace\r\nmetadata: {name: a}\r\n", want: "namespace:a"},
		{name: "no kind", manifests: "{apiVersion: v1, metadata: {name: a}}", err: "kind: a manifest needs apiVersion and kind"},
		{name: "no name", manifests: "{apiVersion: v1, kind: Pod}", err: "metadata.name: empty"},
		{name: "generateName", manifests: "{apiVersion: v1, kind: Pod, metadata: {generateName: a-}}", err: "metadata.generateName"},
		{name: "an object of a server", manifests: "{apiVersion: v1, kind: Pod, metadata: {name: a, resourceVersion: '12'}}",
			err: "metadata.resourceVersion: is the server's to set"},
		{name: "a key twice", manifests: "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {x: '1', x: '2'}}",
			err: `key "x" already set in map`},
		{name: "a key that is true", manifests: "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {on: '1'}}",
			err: "data.true: y, n, yes"},
		{name: "not YAML", manifests: "a: b: c", err: "document 1"},
		{name: "a template", manifests: "apiVersion: v1\nkind: {{ .Kind }}\nmetadata: {name: a}", err: "document 1"},
		{name: "data that is no base64", manifests: "{apiVersion: v1, kind: Secret, metadata: {name: a}, data: {x: 'se cret!'}}",
			err: "data.x: is not a string, or not in base64"},
		{name: "two errors", manifests: "{apiVersion: v1, kind: Pod}\n---\n{apiVersion: v1, kind: Pod}", err: "document 2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			objects, err := kube.ParseObjects([]byte(test.manifests))
			var names []string
			for _, o := range objects {
				names = append(names, o.String())
			}
			if got := strings.Join(names, " "); got != test.want {
				t.Errorf("objects %q, want %q", got, test.want)
			}
			if (err == nil) != (test.err == "") || err != nil && (!strings.Contains(err.Error(), test.err) || !errors.Is(err, lab.ErrInvalid)) {
				t.Errorf("the error is %v, want %q", err, test.err)
			}
		})
	}
}

// TestSecretsAreHidden formats objects that hold secrets in every way.
func TestSecretsAreHidden(t *testing.T) {
	const hidden = "correct-horse-battery"
	s, named := lab.NewSecret(hidden), map[string]any{"name": "a"}
	for name, content := range map[string]map[string]any{
		"data of a Secret": {"apiVersion": "v1", "kind": "Secret", "metadata": named,
			"stringData": map[string]any{"x": hidden}},
		"a secret in a Secret": {"apiVersion": "v1", "kind": "Secret", "metadata": named,
			"stringData": map[string]lab.Secret{"x": s}},
		"a secret elsewhere": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": named,
			"data": map[string]any{"x": s}},
		"part of a text": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "a",
			"annotations": map[string]any{"y": s}}, "data": map[string]any{"x": "password: " + hidden + "\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			o, err := kube.NewObject(content)
			if err != nil {
				t.Fatal(err)
			}
			type wrapped struct{ o kube.Object }
			//lint:ignore SA9005 that there is nothing to marshal is what is tested
			b, _ := json.Marshal(o)
			text := fmt.Sprintf("%v %+v %#v %s %v %+v %#v", o, o, o, b, wrapped{o}, wrapped{o}, []kube.Object{o}) + o.YAML()
			if masked := lab.Mask(text, s); masked != text {
				t.Errorf("it is shown:\n%s", text)
			}
			if !strings.Contains(o.YAML(), "x: (secret)") {
				t.Errorf("want the field in\n%s", o.YAML())
			}
		})
	}
}

func TestNewObjectTakesNoStrangers(t *testing.T) {
	_, err := kube.NewObject(map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "a"},
		"data": map[string]any{"x": []byte("y")}})
	if !errors.Is(err, lab.ErrInvalid) || !strings.Contains(err.Error(), "data.x: []uint8 cannot be in a manifest") {
		t.Errorf("the error is %v", err)
	}
}
