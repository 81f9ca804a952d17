package dns

import (
	"embed"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/internal/script"
)

//go:embed sh/*.sh
var embedded embed.FS

// asking returns the variables of ask.sh.
func (c Config) asking() script.Variables {
	r, _ := c.critical() // Validate asks for it
	v := script.Variables{"name": r.name, "want": joined(r.v4), "address": "", "names": "", "outside": c.outside()}
	if i := slices.IndexFunc(r.named, netip.Addr.Is4); i >= 0 {
		v["address"], v["names"] = r.named[i].String(), strings.Join(c.called(r.named[i]), " ")
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
