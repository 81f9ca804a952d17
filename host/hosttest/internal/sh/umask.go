package sh

import (
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func biUmask(sh *shell, args []string) int {
	if len(args) > 1 && args[1] == "--" {
		args = append(args[:1:1], args[2:]...)
	}
	if len(args) == 1 {
		return sh.output([]byte("0"+pad3(sh.p.Umask)+"\n"), "umask")
	}
	if args[1] == "-S" {
		var b []string
		for i, who := range []string{"u", "g", "o"} {
			bits := ^sh.p.Umask >> (6 - 3*i) & 7
			s := who + "="
			for j, c := range "rwx" {
				if bits&(4>>j) != 0 {
					s += string(c)
				}
			}
			b = append(b, s)
		}
		return sh.output([]byte(strings.Join(b, ",")+"\n"), "umask")
	}
	if libc.IsDigits(args[1]) {
		n, err := strconv.ParseUint(args[1], 8, 32)
		if err != nil || n > 0o777 {
			sh.fail(2, "umask: Illegal number: %s", args[1])
		}
		sh.p.Umask = uint32(n)
		return 0
	}
	f, err := libc.ParseMode(args[1])
	if err != nil {
		sh.fail(2, "umask: Illegal mode: %s", args[1])
	}
	sh.p.Umask = ^f(^sh.p.Umask&0o777, false, 0) & 0o777
	return 0
}

func pad3(n uint32) string {
	s := strconv.FormatUint(uint64(n), 8)
	return strings.Repeat("0", 3-min(3, len(s))) + s
}
