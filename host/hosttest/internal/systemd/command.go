package systemd

import (
	"errors"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// servicePath is where the programs of services are looked for.
const servicePath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// splitCommand reads an Exec line: words with quotes and C escapes.
func splitCommand(line string) []string {
	var out []string
	var cur []byte
	have := false
	quote := byte(0)
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case c == '\\' && quote != '\'' && i+1 < len(line):
			i++
			have = true
			if j := strings.IndexByte(`abfnrtvs`, line[i]); j >= 0 {
				cur = append(cur, "\a\b\f\n\r\t\v "[j])
			} else {
				cur = append(cur, line[i])
			}
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			cur = append(cur, c)
		case (c == '"' || c == '\'') && !have:
			quote, have = c, true
		case c == ' ' || c == '\t':
			if have {
				out = append(out, string(cur))
				cur, have = nil, false
			}
		default:
			cur = append(cur, c)
			have = true
		}
	}
	if have {
		out = append(out, string(cur))
	}
	return out
}

// command prepares an Exec line. ignore tells that its failure does not count.
func (s *Manager) command(u *unit, line string, env []string) (args []string, ignore bool) {
	for line != "" && strings.IndexByte("@-:+!", line[0]) >= 0 {
		if line[0] == '-' {
			ignore = true
		}
		line = line[1:]
	}
	lookup := func(n string) string {
		for _, e := range env {
			if v, ok := strings.CutPrefix(e, n+"="); ok {
				return v
			}
		}
		return ""
	}
	for _, w := range splitCommand(s.specifiers(u, line)) {
		if n, ok := strings.CutPrefix(w, "$"); ok && libc.IsName(n) {
			args = append(args, strings.Fields(lookup(n))...)
			continue
		}
		for {
			i := strings.Index(w, "${")
			if i < 0 {
				break
			}
			j := strings.IndexByte(w[i:], '}')
			if j < 0 || !libc.IsName(w[i+2:i+j]) {
				break
			}
			w = w[:i] + lookup(w[i+2:i+j]) + w[i+j+1:]
		}
		args = append(args, strings.ReplaceAll(w, "$$", "$"))
	}
	return args, ignore
}

// environment gives what a service's processes get. The error is systemd's result word.
func (s *Manager) environment(u *unit) ([]string, error) {
	env := []string{"LANG=C.UTF-8", "PATH=" + servicePath, "INVOCATION_ID=" + u.invocation}
	set := func(kv string) {
		if n, v, ok := strings.Cut(kv, "="); ok {
			env = libc.Setenv(env, n, v)
		}
	}
	for _, line := range u.file.all("Service.Environment") {
		for _, w := range splitCommand(quoteInside(s.specifiers(u, line))) {
			set(w)
		}
	}
	for _, f := range u.file.all("Service.EnvironmentFile") {
		opt := strings.HasPrefix(f, "-")
		file := s.specifiers(u, strings.TrimPrefix(f, "-"))
		b, err := s.k.FS().ReadFile(file)
		if err != nil {
			if opt {
				continue
			}
			s.log(u, "systemd", 1, "%s: Failed to load environment files: %s", u.name, kernel.Strerror(err))
			return nil, errors.New("resources")
		}
		for line := range strings.SplitSeq(string(b), "\n") {
			line = strings.TrimSpace(line)
			if line == "" || line[0] == '#' || line[0] == ';' {
				continue
			}
			if n, v, ok := strings.Cut(line, "="); ok {
				v = strings.TrimSpace(v)
				if len(v) > 1 && (v[0] == '"' || v[0] == '\'') && v[len(v)-1] == v[0] {
					q := v[0]
					v = v[1 : len(v)-1]
					if q == '"' {
						v = strings.NewReplacer(`\"`, `"`, `\\`, `\`, `\$`, `$`, "\\`", "`").Replace(v)
					}
				}
				set(strings.TrimSpace(n) + "=" + v)
			}
		}
	}
	return env, nil
}

// quoteInside turns A="b c" into "A=b c", which is the same to systemd.
func quoteInside(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		j := i
		for j < len(s) && s[j] != ' ' && s[j] != '"' && s[j] != '\'' {
			j++
		}
		if j > i && j < len(s) && s[j] != ' ' && s[j-1] == '=' {
			if k := strings.IndexByte(s[j+1:], s[j]); k >= 0 {
				b.WriteByte(s[j])
				b.WriteString(s[i:j])
				b.WriteString(s[j+1 : j+2+k])
				i = j + 2 + k
				continue
			}
		}
		if j < len(s) {
			if s[j] != ' ' {
				if k := strings.IndexByte(s[j+1:], s[j]); k >= 0 {
					b.WriteString(s[i : j+2+k])
					i = j + 2 + k
					continue
				}
			}
			b.WriteString(s[i : j+1])
			i = j + 1
			continue
		}
		b.WriteString(s[i:])
		break
	}
	return b.String()
}
