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
	var clauses []modeClause
	for part := range strings.SplitSeq(s, ",") {
		more, ok := modeClauses(part)
		if !ok {
			return nil, errors.New("invalid mode")
		}
		clauses = append(clauses, more...)
	}
	return func(old uint32, dir bool, umask uint32) uint32 {
		mode := old & 0o7777
		for _, c := range clauses {
			mode = c.apply(mode, dir, umask)
		}
		return mode
	}, nil
}

// A modeClause is one operation of a symbolic mode.
type modeClause struct {
	who  uint32 // the bits that it is about; 0 for all but those of the umask
	op   byte   // '+', '-' or '='
	perm string
}

// modeClauses reads what stands between two commas: whom it is about, and one or more operations.
func modeClauses(part string) ([]modeClause, bool) {
	i := 0
	who := uint32(0)
	for i < len(part) && strings.IndexByte("ugoa", part[i]) >= 0 {
		who |= map[byte]uint32{'u': 0o4700, 'g': 0o2070, 'o': 0o1007, 'a': 0o7777}[part[i]]
		i++
	}
	var out []modeClause
	for i < len(part) {
		op := part[i]
		if op != '+' && op != '-' && op != '=' {
			return nil, false
		}
		j := i + 1
		for j < len(part) && strings.IndexByte("rwxXstugo01234567", part[j]) >= 0 {
			j++
		}
		out = append(out, modeClause{who, op, part[i+1 : j]})
		i = j
	}
	return out, len(out) > 0
}

// bits are the permissions of a clause, for everyone. mode is what it changes.
func (c modeClause) bits(mode uint32, dir bool) uint32 {
	if IsDigits(c.perm) {
		n, _ := strconv.ParseUint(c.perm, 8, 32)
		return uint32(n)
	}
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
	return bits
}

func (c modeClause) apply(mode uint32, dir bool, umask uint32) uint32 {
	bits := c.bits(mode, dir)
	if c.who == 0 {
		bits &= 0o7777 &^ umask
	} else {
		bits &= c.who
	}
	switch c.op {
	case '+':
		return mode | bits
	case '-':
		return mode &^ bits
	}
	keep := uint32(0)
	if c.who != 0 {
		keep = ^c.who
	}
	if dir && !strings.Contains(c.perm, "s") {
		keep |= kernel.ModeSetUID | kernel.ModeSetGID
	}
	return mode&keep | bits
}
