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

// Getopt parses the arguments. short is as for getopt(3): a letter with ":" takes an argument, with "::" an optional one
// in the same word, and a leading "+" stops at the first operand. long names the long options: "name", "name=" with an
// argument, "name[=" with an optional one, and "name>x" is the same as the short x. On an error it prints what the C
// library prints and returns false.
func Getopt(p *kernel.Process, short, long string) (*Options, bool) {
	o := &Options{Set: map[string][]string{}}
	stop := strings.HasPrefix(short, "+")
	short = strings.TrimPrefix(short, "+")
	type longOpt struct{ name, kind, alias string }
	var longs []longOpt
	for f := range strings.FieldsSeq(long) {
		name, alias, _ := strings.Cut(f, ">")
		kind := ""
		for _, k := range []string{"[=", "="} {
			if n, ok := strings.CutSuffix(name, k); ok {
				name, kind = n, k
				break
			}
		}
		longs = append(longs, longOpt{name, kind, alias})
	}
	add := func(name, value string, given bool) {
		o.Set[name] = append(o.Set[name], value)
		o.Order = append(o.Order, Option{name, value, given})
	}
	args := p.Args[1:]
	for i := 0; i < len(args); i++ {
		a := args[i]
		switch {
		case a == "--":
			o.Args = append(o.Args, args[i+1:]...)
			return o, true
		case strings.HasPrefix(a, "--"):
			name, value, has := strings.Cut(a[2:], "=")
			var hit []longOpt
			for _, l := range longs {
				if l.name == name {
					hit = []longOpt{l}
					break
				}
				if strings.HasPrefix(l.name, name) {
					hit = append(hit, l)
				}
			}
			if len(hit) == 0 {
				p.Errorf("unrecognized option '--%s'", name)
				return nil, false
			}
			if len(hit) > 1 {
				var names strings.Builder
				for _, h := range hit {
					names.WriteString(" '--" + h.name + "'")
				}
				p.Errorf("option '%s' is ambiguous; possibilities:%s", a, names.String())
				return nil, false
			}
			l := hit[0]
			key := l.name
			if l.alias != "" {
				key = l.alias
			}
			switch {
			case l.kind == "" && has:
				p.Errorf("option '--%s' doesn't allow an argument", l.name)
				return nil, false
			case l.kind == "=" && !has:
				if i+1 >= len(args) {
					p.Errorf("option '--%s' requires an argument", l.name)
					return nil, false
				}
				i++
				value = args[i]
			}
			add(key, value, has)
		case len(a) > 1 && a[0] == '-':
			for j := 1; j < len(a); j++ {
				at := strings.IndexByte(short, a[j])
				if at < 0 || a[j] == ':' {
					p.Errorf("invalid option -- '%c'", a[j])
					return nil, false
				}
				kind := short[at+1:]
				if strings.HasPrefix(kind, "::") {
					add(a[j:j+1], a[j+1:], j+1 < len(a))
					break
				}
				if strings.HasPrefix(kind, ":") {
					if j+1 < len(a) {
						add(a[j:j+1], a[j+1:], true)
					} else if i+1 < len(args) {
						i++
						add(a[j:j+1], args[i], true)
					} else {
						p.Errorf("option requires an argument -- '%c'", a[j])
						return nil, false
					}
					break
				}
				add(a[j:j+1], "", false)
			}
		default:
			if stop {
				o.Args = append(o.Args, args[i:]...)
				return o, true
			}
			o.Args = append(o.Args, a)
		}
	}
	return o, true
}

// Unsupported refuses the options that the real program has and this one has not: to ignore one would be kinder than the
// real machine.
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
