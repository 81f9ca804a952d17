package libc

import (
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

// Options is a command line taken apart as getopt_long does.
type Options struct {
	Set   map[string][]string // by short letter or long name; a flag's values are ""
	Order []Option
	Args  []string
}

type Option struct {
	Name, Value string
	Given       bool // the value was given, where it need not be
}

func (o *Options) Has(names ...string) bool {
	for _, n := range names {
		if _, ok := o.Set[n]; ok {
			return true
		}
	}
	return false
}

// Get gives the last value of an option.
func (o *Options) Get(names ...string) string {
	v := ""
	for _, x := range o.Order {
		if slices.Contains(names, x.Name) {
			v = x.Value
		}
	}
	return v
}

func (o *Options) All(names ...string) []string {
	var v []string
	for _, x := range o.Order {
		if slices.Contains(names, x.Name) {
			v = append(v, x.Value)
		}
	}
	return v
}

// Getopt parses the arguments. short is as for getopt(3): a letter with ":" takes an argument, with "::" an optional
// one in the same word, and a leading "+" stops at the first operand. long names the long options: "name", "name=" with
// an argument, "name[=" with an optional one, and "name>x" is the same as the short x. On an error it prints what the C
// library prints and returns false.
func Getopt(p *kernel.Process, short, long string) (*Options, bool) {
	short, stop := strings.CutPrefix(short, "+")
	g := &getopt{p: p, o: &Options{Set: map[string][]string{}}, short: short, long: longOptions(long), args: p.Args[1:]}
	for ; g.at < len(g.args); g.at++ {
		ok := true
		switch a := g.args[g.at]; {
		case a == "--":
			g.o.Args = append(g.o.Args, g.args[g.at+1:]...)
			return g.o, true
		case strings.HasPrefix(a, "--"):
			ok = g.readLong(a)
		case len(a) > 1 && a[0] == '-':
			ok = g.readShort(a)
		case stop:
			g.o.Args = append(g.o.Args, g.args[g.at:]...)
			return g.o, true
		default:
			g.o.Args = append(g.o.Args, a)
		}
		if !ok {
			return nil, false
		}
	}
	return g.o, true
}

// getopt is the state of Getopt.
type getopt struct {
	p     *kernel.Process
	o     *Options
	short string
	long  []longOption
	args  []string
	at    int // the argument that is read
}

type longOption struct {
	name string
	kind string // "=" takes an argument, "[=" may have one
	key  string // what the option counts as: the short letter, or the name
}

func longOptions(long string) []longOption {
	var out []longOption
	for f := range strings.FieldsSeq(long) {
		name, key, short := strings.Cut(f, ">")
		kind := ""
		for _, k := range []string{"[=", "="} {
			if n, ok := strings.CutSuffix(name, k); ok {
				name, kind = n, k
				break
			}
		}
		if !short {
			key = name
		}
		out = append(out, longOption{name, kind, key})
	}
	return out
}

func (g *getopt) add(name, value string, given bool) {
	g.o.Set[name] = append(g.o.Set[name], value)
	g.o.Order = append(g.o.Order, Option{name, value, given})
}

func (g *getopt) fail(format string, a ...any) bool {
	g.p.Errorf(format, a...)
	return false
}

// readLong reads --name, --name=value or --name value; the name may be cut short.
func (g *getopt) readLong(arg string) bool {
	name, value, has := strings.Cut(arg[2:], "=")
	l, ok := g.findLong(arg, name)
	if !ok {
		return false
	}
	if l.kind == "" && has {
		return g.fail("option '--%s' doesn't allow an argument", l.name)
	}
	if l.kind == "=" && !has {
		if g.at+1 >= len(g.args) {
			return g.fail("option '--%s' requires an argument", l.name)
		}
		g.at++
		value = g.args[g.at]
	}
	g.add(l.key, value, has)
	return true
}

// findLong finds the option of that name, or the only one that begins with it.
func (g *getopt) findLong(arg, name string) (longOption, bool) {
	var hit []longOption
	for _, l := range g.long {
		if l.name == name {
			return l, true
		}
		if strings.HasPrefix(l.name, name) {
			hit = append(hit, l)
		}
	}
	switch len(hit) {
	case 0:
		return longOption{}, g.fail("unrecognized option '--%s'", name)
	case 1:
		return hit[0], true
	}
	var names strings.Builder
	for _, h := range hit {
		names.WriteString(" '--" + h.name + "'")
	}
	return longOption{}, g.fail("option '%s' is ambiguous; possibilities:%s", arg, names.String())
}

// readShort reads a word of letters, the last of which may have an argument behind it.
func (g *getopt) readShort(arg string) bool {
	for j := 1; j < len(arg); j++ {
		at := strings.IndexByte(g.short, arg[j])
		if at < 0 || arg[j] == ':' {
			return g.fail("invalid option -- '%c'", arg[j])
		}
		name, rest := arg[j:j+1], arg[j+1:]
		switch kind := g.short[at+1:]; {
		case strings.HasPrefix(kind, "::"):
			g.add(name, rest, rest != "")
			return true
		case !strings.HasPrefix(kind, ":"):
			g.add(name, "", false)
		case rest != "":
			g.add(name, rest, true)
			return true
		case g.at+1 < len(g.args):
			g.at++
			g.add(name, g.args[g.at], true)
			return true
		default:
			return g.fail("option requires an argument -- '%c'", arg[j])
		}
	}
	return true
}

// Unsupported refuses the options that the real program has and this one has not: to ignore one would be kinder than
// the real machine.
func Unsupported(p *kernel.Process, o *Options, names ...string) bool {
	for _, n := range names {
		if o.Has(n) {
			p.Errorf("hosttest: the option %s is not supported", Dashed(n))
			return true
		}
	}
	return false
}

func Dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// Usage prints the hint of the GNU tools and gives their exit code.
func Usage(p *kernel.Process, code int) int {
	p.Warnf("Try '%s --help' for more information.\n", p.Args[0])
	return code
}
