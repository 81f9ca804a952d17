package cli

import (
	"net/netip"
	"slices"
	"testing"
)

func TestAllow(t *testing.T) {
	for text, want := range map[string]string{"192.168.1.201": "192.168.1.201/32", "192.168.1.7/24": "192.168.1.0/24",
		"fd00::1": "fd00::1/128", "": "", "pi1": "", "192.168.1.0/33": "", "192.168.1.201:22": ""} {
		b, err := Allow([]string{text})
		if want == "" {
			if err == nil || b != nil {
				t.Errorf("%q: %v", text, b)
			}
		} else if err != nil || !slices.Equal(b.Allow, []netip.Prefix{netip.MustParsePrefix(want)}) {
			t.Errorf("%q: %v, %v", text, b, err)
		}
	}
	if b, err := Allow(nil); err != nil || b == nil || b.Allow != nil {
		t.Errorf("nothing: %v, %v", b, err)
	}
}
