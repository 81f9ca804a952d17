package version

import "testing"

func TestCompare(t *testing.T) {
	for _, v := range []struct {
		a, b string
		want int
	}{{"17.10", "17.9", 1}, {"1.25.2", "1.25.2-rootless", 0}, {"2.20", "2.20.0", 0}, {"v2.5", "2.20", -1}, {"5",
		"2.40.3", 1}, {"1.26.0+dev-3", "1.26.0", 0}, {"", "0", 0}} {
		if got := Compare(v.a, v.b); got > 0 != (v.want > 0) || got < 0 != (v.want < 0) {
			t.Errorf("%s, %s: got %d", v.a, v.b, got)
		}
	}
}
