package cli

import (
	"errors"
	"flag"
	"io"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// IsHelp reports whether an argument asks for help.
func IsHelp(word string) bool {
	return slices.Contains([]string{"help", "-h", "-help", "--help"}, word)
}

// Parse parses the flags, which may be before, between and after the other arguments, and returns
// the latter. After "--" there are no flags. What the flag set would print about an error is in the
// error; for -h it prints its usage.
func Parse(flags *flag.FlagSet, args []string) (others []string, err error) {
	out, usage := flags.Output(), flags.Usage
	flags.SetOutput(io.Discard)
	flags.Usage = func() {}
	defer func() { flags.SetOutput(out); flags.Usage = usage }()
	for {
		if err := flags.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				flags.SetOutput(out)
				usage()
				return nil, err
			}
			if name, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: -"); ok {
				var names []string
				flags.VisitAll(func(f *flag.Flag) { names = append(names, f.Name) })
				if near := lab.Nearest(name, names); near != "" {
					return nil, Usage("unknown flag -%s (nearest: -%s)", name, near)
				}
				return nil, Usage("unknown flag -%s", name)
			}
			return nil, Usage("%v", err)
		}
		rest := flags.Args()
		if len(rest) == 0 {
			return others, nil
		}
		if used := len(args) - len(rest); used > 0 && args[used-1] == "--" {
			return append(others, rest...), nil
		}
		others, args = append(others, rest[0]), rest[1:]
	}
}

// List is a flag that may be given several times.
type List []string

// String implements [flag.Value].
func (l *List) String() string { return strings.Join(*l, ",") }

// Set implements [flag.Value].
func (l *List) Set(s string) error {
	*l = append(*l, s)
	return nil
}
