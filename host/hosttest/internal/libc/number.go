package libc

import (
	"strconv"
	"strings"
)

func IsDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// ByteCount reads a number with a size suffix.
func ByteCount(s string) (int64, bool) {
	i := 0
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	n, err := strconv.ParseInt(s[:i], 10, 64)
	if err != nil {
		return 0, false
	}
	mul := map[string]int64{"": 1, "c": 1, "w": 2, "b": 512, "kB": 1e3, "KB": 1e3, "K": 1 << 10, "k": 1 << 10,
		"KiB": 1 << 10, "M": 1 << 20, "m": 1 << 20, "MiB": 1 << 20, "MB": 1e6, "G": 1 << 30, "GiB": 1 << 30, "GB": 1e9,
		"T": 1 << 40, "TiB": 1 << 40, "TB": 1e12}[s[i:]]
	if mul == 0 {
		return 0, false
	}
	return n * mul, true
}

func IsName(s string) bool {
	if s == "" || s[0] >= '0' && s[0] <= '9' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if c != '_' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return true
}

func BoolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
