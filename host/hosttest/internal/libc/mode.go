package libc

import (
	"errors"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

// ParseMode reads an octal or symbolic mode. The result maps an old mode to the new one; for a directory an octal mode
// of fewer than five digits keeps the set-ID bits.
func ParseMode(s string) (func(old uint32, dir bool, umask uint32) uint32, error) {
	if IsDigits(s) {
		n, err := strconv.ParseUint(s, 8, 32)
		if err != nil || n > 0o7777 {
			return nil, errors.New("invalid mode")
		}
		return func(old uint32, dir bool, _ uint32) uint32 {
			if dir && len(s) < 5 {
				return uint32(n) | old&(kernel.ModeSetUID|kernel.ModeSetGID)
			}
			return uint32(n)
		}, nil
	}
	type clause struct {
		who  uint32
		op   byte
		perm string
		any  bool
	}
	var list []clause
	for part := range strings.SplitSeq(s, ",") {
		i := 0
		who := uint32(0)
		for i < len(part) && strings.IndexByte("ugoa", part[i]) >= 0 {
			who |= map[byte]uint32{'u': 0o4700, 'g': 0o2070, 'o': 0o1007, 'a': 0o7777}[part[i]]
			i++
		}
		anyWho := who == 0
		if i >= len(part) {
			return nil, errors.New("invalid mode")
		}
		for i < len(part) {
			op := part[i]
			if op != '+' && op != '-' && op != '=' {
				return nil, errors.New("invalid mode")
			}
			j := i + 1
			for j < len(part) && strings.IndexByte("rwxXstugo01234567", part[j]) >= 0 {
				j++
			}
			list = append(list, clause{who, op, part[i+1 : j], anyWho})
			i = j
		}
	}
	return func(old uint32, dir bool, umask uint32) uint32 {
		mode := old & 0o7777
		for _, c := range list {
			var bits uint32
			for _, r := range c.perm {
				switch r {
				case 'r':
					bits |= 0o444
				case 'w':
					bits |= 0o222
				case 'x':
					bits |= 0o111
				case 'X':
					if dir || mode&0o111 != 0 {
						bits |= 0o111
					}
				case 's':
					bits |= kernel.ModeSetUID | kernel.ModeSetGID
				case 't':
					bits |= kernel.ModeSticky
				case 'u':
					bits |= mode >> 6 & 7 * 0o111
				case 'g':
					bits |= mode >> 3 & 7 * 0o111
				case 'o':
					bits |= mode & 7 * 0o111
				}
			}
			if IsDigits(c.perm) {
				n, _ := strconv.ParseUint(c.perm, 8, 32)
				bits = uint32(n)
			}
			who := c.who
			if c.any {
				who = 0o7777
				bits &^= umask
			}
			bits &= who
			switch c.op {
			case '+':
				mode |= bits
			case '-':
				mode &^= bits
			case '=':
				keep := uint32(0)
				if !c.any {
					keep = ^who
				}
				if dir && !strings.Contains(c.perm, "s") {
					keep |= kernel.ModeSetUID | kernel.ModeSetGID
				}
				mode = mode&keep | bits
			}
		}
		return mode
	}, nil
}
