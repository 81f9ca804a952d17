package vaultprov

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
)

// What is wanted of a field has one of the types string, bool, int, [time.Duration], set, list, map[string]string
// and claims. Vault answers with others: durations are numbers of seconds, or texts such as "0s"; an empty
// list or map is null; a list of one may be a text. What it answers is brought into the type that is wanted.
type (
	set    []string            // in no order, each once
	list   []string            // in this order; Vault takes the space around each away, and those that are empty
	claims map[string][]string // a claim must be one of its values
)

// as brings what Vault answers into the type of what is wanted.
func as(want, has any) any {
	switch want.(type) {
	case string:
		if has == nil {
			return ""
		}
		return fmt.Sprint(has)
	case bool:
		b, _ := has.(bool)
		return b
	case int:
		f, _ := has.(float64)
		return int(f)
	case time.Duration:
		switch v := has.(type) {
		case float64:
			return time.Duration(v) * time.Second
		case string:
			if d, err := time.ParseDuration(v); err == nil {
				return d
			}
		}
		return time.Duration(0)
	case policyText:
		text, _ := has.(string)
		return policyText(text)
	case set:
		return sorted(texts(has))
	case list:
		return trim(texts(has))
	case map[string]string:
		m := map[string]string{}
		inner, _ := has.(map[string]any)
		for key, v := range inner {
			m[key] = fmt.Sprint(v)
		}
		return m
	case claims:
		m := claims{}
		inner, _ := has.(map[string]any)
		for key, v := range inner {
			m[key] = sorted(texts(v))
		}
		return m
	}
	panic(fmt.Sprintf("vaultprov has a bug: a field of type %T", want))
}

// texts returns a list of Vault's, or a single text, as a list; null is an empty one.
func texts(v any) []string {
	out := []string{}
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			out = append(out, fmt.Sprint(e))
		}
	case string:
		if v != "" {
			out = append(out, v)
		}
	}
	return out
}

// trim returns a list as Vault keeps it.
func trim(texts []string) list {
	out := list{}
	for _, text := range texts {
		if text = strings.TrimSpace(text); text != "" {
			out = append(out, text)
		}
	}
	return out
}

func sorted(texts []string) set {
	out := append(set{}, texts...)
	slices.Sort(out)
	return slices.Compact(out)
}

// normal returns what is wanted in the form in which it is compared.
func normal(want any) any {
	switch v := want.(type) {
	case set:
		return sorted(v)
	case list:
		return trim(v)
	case map[string]string:
		m := map[string]string{}
		maps.Copy(m, v)
		return m
	case claims:
		m := claims{}
		for key, values := range v {
			m[key] = sorted(values)
		}
		return m
	}
	return want
}

// same reports whether Vault has what is wanted.
func same(want, has any) bool {
	if text, ok := want.(policyText); ok {
		return text.same(as(want, has).(policyText))
	}
	return reflect.DeepEqual(normal(want), as(want, has))
}

// payload returns what is sent of what is wanted.
func payload(want fields) fields {
	out := fields{}
	for key, v := range want {
		switch v := v.(type) {
		case time.Duration:
			out[key] = int(v / time.Second)
		case set:
			out[key] = []string(sorted(v)) // [] and not null, which would leave the field as it is
		case list:
			out[key] = []string(trim(v))
		default:
			out[key] = v
		}
	}
	return out
}

// given returns the fields that say something.
func given(values map[string]any) map[string]any {
	out := map[string]any{}
	for key, v := range values {
		r := reflect.ValueOf(v)
		if empty := r.IsZero() || (r.Kind() == reflect.Slice || r.Kind() == reflect.Map) && r.Len() == 0; !empty {
			out[key] = v
		}
	}
	return out
}

// text writes fields for people, a line a field, in their order.
func text(values map[string]any) []byte {
	var b strings.Builder
	items := func(key string, list []string) {
		if len(list) == 0 {
			fmt.Fprintf(&b, "%s: none\n", key)
			return
		}
		fmt.Fprintf(&b, "%s:\n", key)
		for _, item := range list {
			fmt.Fprintf(&b, "  - %s\n", strings.ReplaceAll(strings.TrimSpace(item), "\n", "\n    "))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		switch v := values[key].(type) {
		case policyText: // the only field of a policy
			b.WriteString(strings.TrimSpace(string(v)) + "\n")
		case time.Duration:
			fmt.Fprintf(&b, "%s: %ds\n", key, int(v/time.Second))
		case set:
			items(key, v)
		case list:
			items(key, v)
		case map[string]string:
			for _, inner := range slices.Sorted(maps.Keys(v)) {
				fmt.Fprintf(&b, "%s.%s: %s\n", key, inner, v[inner])
			}
		case claims:
			for _, inner := range slices.Sorted(maps.Keys(v)) {
				items(key+"."+inner, v[inner])
			}
		default:
			fmt.Fprintf(&b, "%s: %s\n", key, maskURL(fmt.Sprint(v)))
		}
	}
	return []byte(b.String())
}

// passwordInURL finds a password in the address of a database that somebody else wrote into a connection: Vault
// shows it where it cannot read the URL.
var passwordInURL = regexp.MustCompile(`(://[^/@\s:]*:)(\S*)(@)|(\bpassword\s*=\s*)(\S+)()`)

// maskURL takes out the password, unless it is a template that Vault fills in.
func maskURL(text string) string {
	return passwordInURL.ReplaceAllStringFunc(text, func(match string) string {
		parts := passwordInURL.FindStringSubmatch(match)
		if password := parts[2] + parts[5]; strings.HasPrefix(password+"@", "{{password}}@") || password == "'{{password}}'" {
			return match
		}
		return parts[1] + parts[4] + "(secret)" + parts[3]
	})
}
