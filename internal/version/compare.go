// Package version compares versions of programs and images as people write them.
package version

import (
	"regexp"
	"strconv"
	"strings"
)

var numberPattern = regexp.MustCompile(`^[0-9]+`)

// Compare compares two versions by the numbers in them, "17.10" after "17.9"; what follows
// a hyphen or a plus is not looked at. A part that is missing counts as 0.
func Compare(a, b string) int {
	parts := func(s string) (n []int) {
		s, _, _ = strings.Cut(strings.TrimPrefix(s, "v"), "-")
		s, _, _ = strings.Cut(s, "+")
		for p := range strings.SplitSeq(s, ".") {
			i, _ := strconv.Atoi(numberPattern.FindString(p)) // "" is 0
			n = append(n, i)
		}
		return n
	}
	x, y := parts(a), parts(b)
	for i := range max(len(x), len(y)) {
		var p, q int
		if i < len(x) {
			p = x[i]
		}
		if i < len(y) {
			q = y[i]
		}
		if p != q {
			return p - q
		}
	}
	return 0
}
