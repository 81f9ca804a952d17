package libc

import "cmp"

func CompareVersions(a, b string) int {
	order := func(s string, i int) int {
		if i >= len(s) || s[i] >= '0' && s[i] <= '9' {
			return 0
		}
		c := s[i]
		switch {
		case c == '~':
			return -1
		case c|0x20 >= 'a' && c|0x20 <= 'z':
			return int(c)
		}
		return int(c) + 256
	}
	digit := func(s string, i int) bool { return i < len(s) && s[i] >= '0' && s[i] <= '9' }
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		for i < len(a) && !digit(a, i) || j < len(b) && !digit(b, j) {
			x, y := order(a, i), order(b, j)
			if x != y {
				return cmp.Compare(x, y)
			}
			i++
			j++
		}
		for i < len(a) && a[i] == '0' {
			i++
		}
		for j < len(b) && b[j] == '0' {
			j++
		}
		diff := 0
		for digit(a, i) && digit(b, j) {
			if diff == 0 {
				diff = cmp.Compare(a[i], b[j])
			}
			i++
			j++
		}
		if digit(a, i) {
			return 1
		}
		if digit(b, j) {
			return -1
		}
		if diff != 0 {
			return diff
		}
	}
	return 0
}
