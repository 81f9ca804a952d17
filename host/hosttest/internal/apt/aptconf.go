package apt

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

// aptConf is apt's configuration (apt.conf(5)): values by lower-case name.
type aptConf map[string][]string

func (c aptConf) get(name string) string {
	if v := c[strings.ToLower(name)]; len(v) > 0 {
		return v[len(v)-1]
	}
	return ""
}

// set does what -o does: a name that ends in "::" adds to a list.
func (c aptConf) set(name, value string) {
	name = strings.ToLower(name)
	if list, ok := strings.CutSuffix(name, "::"); ok {
		c[list] = append(c[list], value)
		return
	}
	c[name] = []string{value}
}

// clear removes a value, or a list, and all below it.
func (c aptConf) clear(name string) {
	name = strings.ToLower(name)
	for n := range c {
		if n == name || strings.HasPrefix(n, name+"::") {
			delete(c, n)
		}
	}
}

// aptConfig reads the configuration files. The text is what apt says of the first line that it cannot read.
func aptConfig(p *kernel.Process) (aptConf, string) {
	c := aptConf{}
	names, _ := p.ReadDir("/etc/apt/apt.conf.d")
	slices.Sort(names)
	files := []string{}
	for _, n := range names {
		if !strings.Contains(n, ".") || path.Ext(n) == ".conf" {
			files = append(files, "/etc/apt/apt.conf.d/"+n)
		}
	}
	if _, err := p.Stat("/etc/apt/apt.conf"); err == nil {
		files = append(files, "/etc/apt/apt.conf")
	}
	for _, f := range files {
		b, err := p.ReadFile(f)
		if err != nil {
			continue
		}
		if line, what := c.parse(string(b)); what != "" {
			return nil, fmt.Sprintf("Syntax error %s:%d: %s", f, line, what)
		}
	}
	return c, ""
}

// parse adds the settings of a file.
func (c aptConf) parse(text string) (line int, problem string) {
	line = 1
	var scopes []string
	var words []string
	quoted := false // the last word was in quotes
	name := func(n string) string {
		if n == "" {
			return strings.Join(scopes, "::") + "::"
		}
		return strings.Join(append(slices.Clone(scopes), n), "::")
	}
	for i := 0; i < len(text); {
		switch ch := text[i]; {
		case ch == '\n':
			line++
			i++
		case ch == ' ' || ch == '\t' || ch == '\r':
			i++
		case strings.HasPrefix(text[i:], "#clear "):
			n, _, _ := strings.Cut(text[i+len("#clear "):], "\n")
			c.clear(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(n), ";")))
			i += len("#clear ") + len(n)
		case ch == '#' || strings.HasPrefix(text[i:], "//"):
			for i < len(text) && text[i] != '\n' {
				i++
			}
		case strings.HasPrefix(text[i:], "/*"):
			end := strings.Index(text[i:], "*/")
			if end < 0 {
				return line, "Extra junk at end of file"
			}
			line += strings.Count(text[i:i+end], "\n")
			i += end + 2
		case ch == '{':
			if len(words) == 0 {
				return line, "Block starts with no name."
			}
			scopes = append(scopes, words[0])
			if len(words) > 1 {
				c.set(strings.Join(scopes, "::"), words[1])
			}
			words, quoted = nil, false
			i++
		case ch == '}':
			if len(scopes) == 0 || len(words) > 0 {
				return line, "Malformed Tag"
			}
			scopes = scopes[:len(scopes)-1]
			i++
		case ch == ';':
			switch {
			case len(words) == 1 && quoted:
				c.set(name(""), words[0])
			case len(words) == 1:
				c.set(name(words[0]), "")
			case len(words) == 2:
				c.set(name(words[0]), words[1])
			case len(words) > 2:
				return line, "Extra junk after value"
			}
			words, quoted = nil, false
			i++
		case ch == '"':
			end := strings.IndexByte(text[i+1:], '"')
			if end < 0 {
				return line, "Malformed value"
			}
			words, quoted = append(words, text[i+1:i+1+end]), true
			line += strings.Count(text[i+1:i+1+end], "\n")
			i += end + 2
		default:
			start := i
			for i < len(text) && !strings.ContainsRune(" \t\r\n;{}\"", rune(text[i])) {
				i++
			}
			words, quoted = append(words, text[start:i]), false
		}
	}
	if len(words) > 0 || len(scopes) > 0 {
		return line, "Extra junk at end of file"
	}
	return 0, ""
}

// cmdAptConfig is apt-config, of which only "shell" is known: it prints the values that are set as assignments.
func cmdAptConfig(p *kernel.Process) int {
	conf, bad := aptConfig(p)
	if bad != "" {
		return aptFail(p, "%s", bad)
	}
	args := p.Args[1:]
	if len(args) == 0 || args[0] != "shell" {
		p.Warnf("E: hosttest: apt-config %q is not known to this machine\n", args)
		return 100
	}
	if len(args)%2 == 0 {
		return aptFail(p, "Arguments not in pairs")
	}
	for i := 1; i < len(args); i += 2 {
		name, boolean := strings.CutSuffix(args[i+1], "/b")
		if len(conf[strings.ToLower(name)]) == 0 {
			continue
		}
		v := conf.get(name)
		if boolean {
			v = "false"
			if slices.Contains([]string{"yes", "true", "with", "on", "enable", "1"}, strings.ToLower(conf.get(name))) {
				v = "true"
			}
		}
		p.Printf("%s='%s'\n", args[i], strings.ReplaceAll(v, "'", `'\''`))
	}
	return 0
}
