package host

import (
	"bytes"
	"fmt"
	"text/template"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// parseTemplate parses a text/template. An undefined variable is an error when it is executed, not
// "<no value>".
func parseTemplate(text string, secrets map[string]lab.Secret) (*template.Template, error) {
	return template.New("template").Option("missingkey=error").Funcs(template.FuncMap{
		"secret": func(name string) (string, error) {
			s, ok := secrets[name]
			if !ok {
				return "", fmt.Errorf("%w: the secret %q", lab.ErrNotFound, name)
			}
			return s.Reveal(), nil
		},
	}).Parse(text)
}

func renderTemplate(
	text string, vars map[string]any, secrets map[string]lab.Secret, facts Facts,
) ([]byte, error) {
	t, err := parseTemplate(text, secrets)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, struct {
		Facts Facts
		Vars  map[string]any
	}{facts, vars})
	if err != nil {
		return nil, &lab.Error{Op: "render template", Hint: "a template may use .Facts, .Vars and secret \"NAME\"", Err: err}
	}
	return b.Bytes(), nil
}

// hostnameToken is needed by templates, since they may contain the machine's name.
const hostnameToken = "hostname"
