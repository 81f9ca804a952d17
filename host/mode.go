package host

import (
	"cmp"
	"fmt"
	"strconv"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Mode is the mode of a file as in chmod(1): permission bits, setuid, setgid and sticky, 0 to 07777.
// Documents write it in octal: 0644 or "0644".
type Mode uint32

// String returns the mode in four octal digits.
func (m Mode) String() string { return fmt.Sprintf("%04o", uint32(m)) }

// exact returns the mode in five octal digits, with which chmod sets all bits. With fewer it leaves
// setuid and setgid of a directory, which may be inherited, as they are (coreutils, "Numeric Modes").
func (m Mode) exact() string { return fmt.Sprintf("%05o", uint32(m)) }

// MarshalText returns what String returns.
func (m Mode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText parses three or four octal digits.
func (m *Mode) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 8, 32)
	if err != nil || len(text) < 3 || len(text) > 4 {
		return &lab.Error{Op: "read mode", Hint: `write three or four octal digits, "0644"`,
			Err: fmt.Errorf("%w: not a file mode", lab.ErrInvalid)}
	}
	*m = Mode(n)
	return nil
}

// or returns m, or the default d if m is 0.
func (m Mode) or(d Mode) Mode {
	return cmp.Or(m, d)
}

// worldReadable reports whether every user of the machine may read the file, so that its content may
// be shown.
func (m Mode) worldReadable() bool { return m&0o004 != 0 }

// odd says why the mode is one that no one means, such as decimal 644, which is 01204; empty if it may
// be meant.
func (m Mode) odd() string {
	owner, group, others := m>>6&7, m>>3&7, m&7
	switch {
	case m > 0o7777:
		return "is more than 07777"
	case owner&2 != 0 && owner&4 == 0:
		return "lets the owner write and not read"
	case group&^owner != 0:
		return "lets the group do what the owner may not"
	case others&^owner != 0:
		return "lets others do what the owner may not"
	case group&7 == 2, others&7 == 2: // with x too it is a directory that takes what it does not show
		return "lets others write and not read"
	}
	return ""
}

// checkMode reports a mode that no one means.
func checkMode(ps *lab.Problems, m Mode) {
	why := m.odd()
	if why == "" {
		return
	}
	p := lab.Problem{Path: "mode", Text: m.String(), Message: why, Hint: "modes are octal, as 0644"}
	var meant Mode
	if digits := strconv.FormatUint(uint64(m), 10); meant.UnmarshalText([]byte(digits)) == nil && meant.odd() == "" {
		p.Hint = fmt.Sprintf("if %s was meant: modes are octal, %s", digits, meant)
	}
	*ps = append(*ps, p)
}
