package compose

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

func encode(doc any) []byte {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(doc); err != nil {
		panic(err) // what was decoded of YAML can be encoded
	}
	_ = e.Close() // a buffer takes everything
	return b.Bytes()
}

// escape doubles the dollar signs in all values, so that Compose does not take them for variables.
func escape(v any) any {
	switch v := v.(type) {
	case string:
		return strings.ReplaceAll(v, "$", "$$")
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = escape(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[k] = escape(v[k])
		}
		return out
	}
	return v
}

func clone(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = clone(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[k] = clone(v[k])
		}
		return out
	}
	return v
}

// subtree returns what is at a path of keys, nil when nothing is.
func subtree(v any, keys ...string) any {
	for _, k := range keys {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[k]
	}
	return v
}

// hash returns 12 hexadecimal digits of what identifies a definition.
func hash(v any) string {
	var b []byte
	if text, ok := v.(string); ok {
		b = []byte(text)
	} else {
		b = encode(v)
	}
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:6])
}

// texts yields every text of a document with its path.
func texts(v any, at string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) { walk(v, at, yield) }
}

func walk(v any, at string, yield func(string, string) bool) bool {
	switch v := v.(type) {
	case string:
		return yield(at, v)
	case []any:
		for i := range v {
			if !walk(v[i], fmt.Sprintf("%s[%d]", at, i), yield) {
				return false
			}
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if !walk(v[k], strings.TrimPrefix(at+"."+k, "."), yield) {
				return false
			}
		}
	}
	return true
}
