package host

import (
	"fmt"
	"strconv"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Mode are the permission bits of a file with setuid, setgid and sticky, 0 to 07777, as chmod(1) takes them. In documents it is written in
// octal: 0644 or "0644".
type Mode uint32

// String returns the mode in four octal digits.
func (m Mode) String() string { return fmt.Sprintf("%04o", uint32(m)) }

// exact is the mode as chmod takes it for all bits. Of a directory it leaves setuid and setgid as they are, which a new one may have from the
// directory above it, unless there are five digits (coreutils, "Numeric Modes").
func (m Mode) exact() string { return fmt.Sprintf("%05o", uint32(m)) }

// MarshalText returns what String returns.
func (m Mode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads three or four octal digits.
func (m *Mode) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 8, 32)
	if err != nil || len(text) < 3 || len(text) > 4 {
		return &lab.Error{Op: "read mode", Hint: `write three or four octal digits, "0644"`, Err: fmt.Errorf("%w: not a file mode", lab.ErrInvalid)}
	}
	*m = Mode(n)
	return nil
}

// or returns m, or d when m is 0, which stands for the default everywhere.
func (m Mode) or(d Mode) Mode {
	if m == 0 {
		return d
	}
	return m
}

// worldReadable reports whether everybody on the machine may read the file, so that showing its content gives nothing away.
func (m Mode) worldReadable() bool { return m&0o004 != 0 }
