package stepca

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// settings is a ca.json, as far as it is decoded: all of it, so that what nobody here knows is kept.
type settings map[string]any

// readSettings decodes a ca.json.
func readSettings(data []byte) (settings, error) {
	var s settings
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&s); err != nil {
		return nil, fmt.Errorf("%w: it is not JSON: %w", lab.ErrInvalid, err)
	}
	return s, nil
}

// text encodes the ca.json, with keys in alphabetical order.
func (s settings) text() []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "\t")
	_ = e.Encode(s) // it was decoded from JSON, or consists of strings
	return b.Bytes()
}

// object returns the object at the key, which is created if it is not there.
func object(in map[string]any, key string) map[string]any {
	if o, ok := in[key].(map[string]any); ok {
		return o
	}
	o := map[string]any{}
	in[key] = o
	return o
}

// objects returns those of the list at the key.
func objects(in map[string]any, key string) (found []map[string]any) {
	list, _ := in[key].([]any)
	for _, v := range list {
		if o, ok := v.(map[string]any); ok {
			found = append(found, o)
		}
	}
	return found
}

// named returns the provisioner of the type and the name; nil if there is none.
func (s settings) named(kind, name string) map[string]any {
	authority, _ := s["authority"].(map[string]any)
	for _, p := range objects(authority, "provisioners") {
		if p["name"] == name && p["type"] == kind {
			return p
		}
	}
	return nil
}

// keyID returns the "kid" of the JWK provisioner of the name.
func (s settings) keyID(name string) string {
	key, _ := s.named("JWK", name)["key"].(map[string]any)
	id, _ := key["kid"].(string)
	return id
}

// wanted returns the ca.json as the Config wants it on all the machines: its address and names, the
// policy, the validity of certificates and the two provisioners. Everything else stays as it is, and
// so does the text of one that is right already. What cannot be kept the same on several machines is
// refused.
func (c Config) wanted(current []byte, machines []string) ([]byte, error) {
	s, err := readSettings(current)
	if err == nil {
		err = c.refuse(s, len(machines) > 1)
	}
	if err != nil {
		return nil, err
	}
	before, _ := readSettings(current)
	s["address"] = fmt.Sprintf(":%d", c.port())
	names, _ := s["dnsNames"].([]any)
	for _, n := range c.names(machines) {
		if !slices.Contains(names, any(n)) {
			names = append(names, n)
		}
	}
	s["dnsNames"] = names
	authority := object(s, "authority")
	policy := object(object(authority, "policy"), "x509")
	object(policy, "allow")["dns"] = c.allowed()
	if delete(policy, "allowWildcardNames"); c.Wildcards {
		policy["allowWildcardNames"] = true
	}
	c.claim(authority)
	if s.named("ACME", c.acme()) == nil {
		list, _ := authority["provisioners"].([]any)
		authority["provisioners"] = append(list, map[string]any{"type": "ACME", "name": c.acme()})
	}
	acme := s.named("ACME", c.acme())
	acme["challenges"] = []any{"http-01", "tls-alpn-01"} // dns-01 would need a DNS server with an API
	c.claim(acme)
	c.claim(s.named("JWK", c.provisioner()))
	if reflect.DeepEqual(before, s) {
		return current, nil
	}
	return s.text(), nil
}

// claim sets the validity of certificates.
func (c Config) claim(in map[string]any) {
	claims := object(in, "claims")
	claims["defaultTLSCertDuration"] = c.duration().String()
	claims["maxTLSCertDuration"] = c.maxDuration().String()
}

// allowed returns what certificates are for. A star stands for exactly one level
// (github.com/smallstep/certificates/issues/2053).
func (c Config) allowed() []any {
	names := []any{c.Domain, "*." + c.Domain}
	for _, n := range c.Allow {
		if !slices.Contains(names, any(n)) {
			names = append(names, n)
		}
	}
	return names
}

// refuse returns why the ca.json cannot be managed.
func (c Config) refuse(s settings, copied bool) error {
	no := func(hint, format string, args ...any) error {
		return &lab.Error{Op: "read", Path: caJSON, Hint: hint,
			Err: fmt.Errorf("%w: %s", lab.ErrRefused, fmt.Sprintf(format, args...))}
	}
	for key, want := range map[string]string{"root": rootFile, "crt": intermediateFile, "key": intermediateKeyFile} {
		if have := s[key]; have != want && !reflect.DeepEqual(have, []any{want}) {
			return no("move the authority to "+directory, "its %s is %v, not %s", key, have, want)
		}
	}
	authority, _ := s["authority"].(map[string]any)
	if authority["enableAdmin"] == true {
		return no("turn remote management off, and write the provisioners into ca.json",
			"its provisioners are in its database, not in ca.json")
	}
	if s.named("JWK", c.provisioner()) == nil {
		var have []string
		for _, p := range objects(authority, "provisioners") {
			if p["type"] == "JWK" {
				have = append(have, fmt.Sprint(p["name"]))
			}
		}
		add := fmt.Sprintf("step ca provisioner add %s --type JWK --create --ca-config %s", c.provisioner(), caJSON)
		return no("set provisioner to one of them, or: "+add, "it has no JWK provisioner %s; those that it has: %s", c.provisioner(),
			strings.Join(have, ", "))
	}
	text := string(s.text())
	switch federated, _ := s["federatedRoots"].([]any); {
	case !copied:
	case s["ssh"] != nil, len(federated) > 0, strings.Contains(text, `"templateFile"`):
		return no("keep them in ca.json itself, or run the CA on one machine",
			"it refers to SSH keys, other roots or template files, which are not copied to replicas")
	}
	return nil
}
