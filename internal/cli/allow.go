package cli

import (
	"net/netip"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Allow returns the boundary of the networks and addresses that --allow names. None of them means this machine alone.
func Allow(texts []string) (*lab.Boundary, error) {
	b := &lab.Boundary{Name: "command line"}
	for _, text := range texts {
		p, err := netip.ParsePrefix(text)
		if ip, e := netip.ParseAddr(text); e == nil {
			p, err = netip.PrefixFrom(ip, ip.BitLen()), nil
		}
		if err != nil {
			return nil, Usage("--allow %q is neither a network nor an address", text)
		}
		b.Allow = append(b.Allow, p.Masked())
	}
	return b, nil
}
