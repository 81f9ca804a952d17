package netclient

import (
	"strings"
	"testing"
)

func FuzzCurlProtocols(f *testing.F) {
	for _, s := range []string{"=https,http", "-all,+https", "", "=", "+,-", "all"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		on := curlProtocols(s)
		if strings.HasPrefix(s, "=https") && !strings.Contains(s, ",") && on["http"] {
			t.Errorf("%q allows http", s)
		}
	})
}
