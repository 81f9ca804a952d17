package dns

import (
	"embed"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

//go:embed sh/*.sh
var embedded embed.FS

// variable is one that a script is given.
type variable struct{ name, value string }

// script returns files of the directory sh, one after the other, after the assignments of the variables, without the
// comments.
func script(variables []variable, files ...string) string {
	var b strings.Builder
	for _, v := range variables {
		fmt.Fprintf(&b, "%s=%s\n", v.name, ssh.Quote(v.value))
	}
	for _, name := range files {
		text, err := embedded.ReadFile("sh/" + name)
		if err != nil {
			panic(err) // the names are constants, of files that are compiled in
		}
		for line := range strings.Lines(string(text)) {
			if !strings.HasPrefix(strings.TrimSpace(line), "#") {
				b.WriteString(line)
			}
		}
	}
	return b.String()
}

// asking returns the variables of ask.sh.
func (c Config) asking() []variable {
	r, _ := c.critical() // Validate asks for it
	v := []variable{{"name", r.name}, {"want", joined(r.v4)}, {"address", ""}, {"names", ""}, {"outside", c.outside()}}
	if i := slices.IndexFunc(r.named, netip.Addr.Is4); i >= 0 {
		v[2].value, v[3].value = r.named[i].String(), strings.Join(c.called(r.named[i]), " ")
	}
	return v
}

// joined returns the values in words.
func joined[T fmt.Stringer](values []T) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = v.String()
	}
	return strings.Join(words, " ")
}
