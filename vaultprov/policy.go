package vaultprov

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Policy is an ACL policy.
type Policy struct {
	// Name is in lower case: Vault makes it so. It is required.
	Name string `yaml:"name,required"`

	// Text is HCL or JSON. What means the same is the same: space, comments, the order of paths and of capabilities.
	Text string `yaml:"text,required"`
}

func (p Policy) validate() (ps lab.Problems) {
	ps = append(ps, validatePolicyName("name", p.Name)...)
	if p.Name == "root" {
		ps.Add("name", "root is built in, and cannot be changed")
	}
	if strings.TrimSpace(p.Text) == "" {
		ps.Add("text", "empty: Vault takes no policy without a text")
		return ps
	}
	rules, err := parsePolicy(p.Text)
	if err != nil {
		ps.Add("text", "%v", err)
	}
	for _, r := range rules {
		var words []string
		for _, word := range r.texts("capabilities") {
			if !slices.Contains(capabilities, word) {
				ps.Add("text", "path %q: there is no capability %q", r.path, word)
			}
			words = append(words, word)
		}
		if len(words) > 1 && slices.Contains(words, "deny") {
			ps.Add("text", "path %q: deny takes all others away", r.path)
		}
	}
	return ps
}

// capabilities are those of Vault 1.21 (vault/policy.go).
var capabilities = []string{"create", "read", "update", "delete", "list", "sudo", "deny", "patch", "subscribe", "recover"}

// policyText is the text of a policy, a type of what is wanted. Two are the same if they mean the same.
type policyText string

func (t policyText) same(o policyText) bool {
	a, b := strings.TrimSpace(string(t)), strings.TrimSpace(string(o))
	if a == b {
		return true
	}
	x, err := parsePolicy(a)
	y, otherErr := parsePolicy(b)
	return err == nil && otherErr == nil && canonical(x) == canonical(y)
}

// rule is what a policy says of a path.
type rule struct {
	path   string
	fields map[string]any
}

func (r rule) texts(field string) []string { return texts(r.fields[field]) }

// parsePolicy reads a policy as Vault does, by HCL 1, which reads JSON too.
func parsePolicy(text string) ([]rule, error) {
	var doc map[string]any
	if err := hcl.Decode(&doc, text); err != nil {
		return nil, fmt.Errorf("is neither HCL nor JSON: %w", err)
	}
	var rules []rule
	for _, key := range []string{"name", "path"} {
		blocks, _ := doc[key].([]map[string]any)
		delete(doc, key)
		for _, block := range blocks {
			for path, inner := range block {
				bodies, ok := inner.([]map[string]any)
				if !ok {
					return nil, fmt.Errorf("path %q is no block", path)
				}
				for _, body := range bodies {
					rules = append(rules, rule{path, body})
				}
			}
		}
	}
	for key := range doc {
		return nil, fmt.Errorf("%q is not known: a policy is made of paths", key)
	}
	return rules, nil
}

// canonical returns rules in one form for all texts that mean the same.
func canonical(rules []rule) string {
	lines := make([]string, 0, len(rules))
	for _, r := range rules {
		body := map[string]any{}
		for key, v := range r.fields {
			if list, ok := v.([]any); ok && (key == "capabilities" || key == "required_parameters") {
				v = sorted(texts(list))
			}
			body[key] = v
		}
		b, err := json.Marshal(body) // with its keys in order
		if err != nil {
			b = []byte(err.Error())
		}
		lines = append(lines, fmt.Sprintf("%q %s", r.path, b))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// policies are the ACL policies. That of the server's own name is never removed.
func (p *planner) policies() kind {
	k := kind{name: "policy", want: map[string]object{}, prunes: true, loss: lab.RiskDisrupt,
		spares: []string{"default", "root"}, unscoped: true,
		place: func(string) string { return "sys/policies/acl" },
		path:  func(key string) string { return "sys/policies/acl/" + key }}
	for _, policy := range p.spec.Policies {
		k.want[policy.Name] = object{want: fields{"policy": policyText(policy.Text)}}
	}
	return k
}
