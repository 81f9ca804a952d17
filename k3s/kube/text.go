package kube

import (
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

// What is shown instead of a secret, and instead of one that is not what it was.
const (
	hiddenText  = "(secret)"
	changedText = "(secret, changed)"
)

// YAML returns the manifest, with secrets masked.
func (o Object) YAML() string {
	_, text := o.texts(nil, o.m.content)
	return text
}

// texts returns the object as it is and as it will be, for a diff: without what only the server writes, and
// with secrets masked. Nil is an object that is not there.
func (o Object) texts(before, after map[string]any) (was, will string) {
	b, a := stripped(before), stripped(after)
	hideBefore := o.hide("", b, a, hiddenText)
	hideAfter := o.hide("", a, b, changedText)
	if before == nil { // nothing has changed
		hideAfter = o.hide("", a, a, changedText)
	}
	mask := o.masker()
	return mask.Mask(toYAML(hideBefore)), mask.Mask(toYAML(hideAfter))
}

func toYAML(v any) string {
	if m, ok := v.(map[string]any); ok && len(m) == 0 || v == nil {
		return ""
	}
	text, err := yaml.Marshal(v)
	if err != nil { // it came from JSON
		return err.Error()
	}
	return string(text)
}

// stripped returns a copy without what only the server and its controllers write, and without what kubectl
// keeps of the last manifest, secrets included.
func stripped(content map[string]any) map[string]any {
	if content == nil {
		return nil
	}
	out := runtime.DeepCopyJSON(content)
	delete(out, "status")
	meta, _ := out["metadata"].(map[string]any)
	for _, field := range []string{"managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "selfLink"} {
		delete(meta, field)
	}
	if notes, ok := meta["annotations"].(map[string]any); ok {
		delete(notes, "kubectl.kubernetes.io/last-applied-configuration")
		if len(notes) == 0 {
			delete(meta, "annotations")
		}
	}
	return out
}

// place is a path without the positions in lists: an item of a list may have another position on the server.
func place(path, key string) string { return path + "." + key }

// hide returns v with the values at places of secrets replaced; one that differs from the value at the same
// path of other by changed.
func (o Object) hide(path string, v, other any, changed string) any {
	switch v := v.(type) {
	case map[string]any:
		if v == nil {
			return v
		}
		than, _ := other.(map[string]any)
		out := make(map[string]any, len(v))
		for k := range v {
			out[k] = o.hide(place(path, k), v[k], than[k], changed)
		}
		return out
	case []any:
		than, _ := other.([]any)
		out := make([]any, len(v))
		for n := range v {
			var same any
			if n < len(than) {
				same = than[n]
			}
			out[n] = o.hide(path, v[n], same, changed)
		}
		return out
	}
	if !o.m.hidden[path] && !o.secretData(path) {
		return v
	}
	if reflect.DeepEqual(v, other) {
		return hiddenText
	}
	return changed
}

// secretData reports whether a place is in the data of a Secret, whoever wrote it there.
func (o Object) secretData(path string) bool {
	return o.isSecret() && (strings.HasPrefix(path, ".data.") || strings.HasPrefix(path, ".stringData."))
}

// findHidden finds the places that hold secrets.
func (m *manifest) findHidden() {
	m.hidden = map[string]bool{}
	if len(m.secrets) == 0 {
		return
	}
	mask := Object{m}.masker()
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for k := range v {
				walk(place(path, k), v[k])
			}
		case []any:
			for n := range v {
				walk(path, v[n])
			}
		case string:
			if mask.Mask(v) != v {
				m.hidden[path] = true
			}
		}
	}
	walk("", m.content)
}
