package compose

import (
	"cmp"
	"io/fs"
	"os"
	"path"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// configs makes files of the configs, those with their content in the compose.yaml too.
func (l *loading) configs() {
	for _, name := range l.project.ConfigNames() {
		c := l.project.Configs[name]
		at := "configs." + name
		uid, gid, mode := l.owners(name, serviceConfigs)
		f := File{Path: "configs/" + name, Content: c.Content, Owner: uid, Group: gid, Mode: mode}
		origin := c.File
		if c.Driver != "" || c.TemplateDriver != "" {
			l.add(at, "make it a file", "drivers of configs are of Docker Swarm")
		}
		switch {
		case bool(c.External):
			l.add(at, "make it a file", "external configs are of Docker Swarm")
			continue
		case c.Environment != "":
			v, ok := l.variables[c.Environment]
			if !ok {
				l.add(at+".environment", "pass the variable, make it a file, or write content",
					"nothing is taken from the environment")
				continue
			}
			f.Content, c.Environment = v, ""
		case c.File != "":
			rel, ok := l.local(c.File)
			if !ok {
				l.add(at+".file", "move it beside the compose.yaml", "is not in the stack's directory")
				continue
			}
			if i := slices.IndexFunc(l.source.Files, func(f File) bool { return f.Path == rel }); i >= 0 {
				c.File = path.Join(l.target, rel)
				l.project.Configs[name] = c
				continue
			}
			b, err := readSmall(c.File)
			if err != nil || l.source.Dir == "" {
				l.add(at+".file", "create the file", "%s", l.shown(cmp.Or(err, fs.ErrNotExist)))
				continue
			}
			st, err := os.Stat(c.File)
			if err != nil {
				l.add(at+".file", "", "%s", l.shown(err))
				continue
			}
			brought := l.brought(c.File, string(b), st.Mode())
			f.Content, f.Secret = brought.Content, brought.Secret
			if f.Mode == 0 && !f.Secret.IsZero() {
				f.Mode, f.mounted = brought.Mode, true
			}
		}
		if l.secretVariable(f.Content) != "" {
			f.Content, f.Secret = "", lab.NewSecret(f.Content)
		}
		if err := l.keep(origin, f); err != nil {
			l.add(at, "", "%v", err)
		}
		c.File, c.Content = path.Join(l.target, f.Path), ""
		l.project.Configs[name] = c
	}
}
