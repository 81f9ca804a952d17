package composetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
)

// ini is an INI file as gopkg.in/ini.v1 has it: sections in order, keys in order.
type ini struct {
	sections []string            // "" for the keys before the first
	keys     map[string][]string // by section
	values   map[string]string   // by "section.key"
}

func (i *ini) set(section, key, value string) {
	if !slices.Contains(i.sections, section) {
		i.sections = append(i.sections, section)
	}
	if !slices.Contains(i.keys[section], key) {
		i.keys[section] = append(i.keys[section], key)
	}
	i.values[section+"."+key] = value
}

// parseIni reads a file.
func parseIni(text string) *ini {
	i := &ini{[]string{""}, map[string][]string{}, map[string]string{}}
	section := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			section = strings.Trim(line, "[]")
		} else if k, v, ok := strings.Cut(line, "="); ok {
			i.set(section, strings.TrimSpace(k), readIni(strings.TrimSpace(v)))
		}
	}
	return i
}

func (i *ini) String() string {
	var b strings.Builder
	for _, s := range i.sections {
		if s != "" {
			fmt.Fprintf(&b, "\n[%s]\n", s)
		}
		for _, k := range i.keys[s] {
			fmt.Fprintf(&b, "%s = %s\n", k, writeIni(i.values[s+"."+k]))
		}
	}
	return b.String()
}

// startGitea writes app.ini from the environment, as the image does: it sets keys and removes none.
// What it makes of names and values is what `gitea config edit-ini --apply-env` of 1.26 does:
// sections in lower case, [default] apart from the keys before the first section, quotes kept when
// they are written and lost when they are read.
func startGitea(c *Container) error {
	old, err := c.File("/etc/gitea/app.ini")
	if err != nil { // the first start
		if config := c.Binds["/etc/gitea"]; config != "" {
			if err := c.Machine().FS().Chmod(config, 0o700); err != nil {
				return err
			}
		}
		old = []byte("APP_NAME = Gitea: Git with a cup of tea\nRUN_USER = git\nRUN_MODE = prod\n")
	}
	app := parseIni(string(old))
	for _, v := range slices.Sorted(maps.Keys(c.Env)) {
		rest, ok := strings.CutPrefix(v, "GITEA__")
		if !ok {
			continue
		}
		section, key, _ := strings.Cut(rest, "__")
		value := c.Env[v]
		if k, ok := strings.CutSuffix(key, "__FILE"); ok {
			b, err := c.File(value)
			if err != nil {
				c.Log(fmt.Sprintf("EnvironmentToConfig() [E] Error reading file for %s : %v", v, err)) // and it goes on
				continue
			}
			key, value = k, strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
		}
		app.set(strings.ToLower(strings.NewReplacer("_0X2E_", ".", "_0X2D_", "-").Replace(section)), key, value)
	}
	if err := c.WriteFile("/etc/gitea/app.ini", []byte(app.String())); err != nil {
		return err
	}
	return runnerToken(c)
}

// runnerToken reads the registration token of runners, where there is to be one.
func runnerToken(c *Container) error {
	file := c.Env["GITEA_RUNNER_REGISTRATION_TOKEN_FILE"]
	if file == "" {
		return nil
	}
	token, err := c.File(file)
	if err != nil {
		return fmt.Errorf("unable to read GITEA_RUNNER_REGISTRATION_TOKEN_FILE: %w", err)
	}
	if len(strings.TrimSpace(string(token))) < 32 {
		return errors.New("GITEA_RUNNER_REGISTRATION_TOKEN must be at least 32 random characters")
	}
	return nil
}

// writeIni writes a value as gopkg.in/ini.v1 does.
func writeIni(v string) string {
	switch {
	case strings.ContainsAny(v, "\n`"):
		return `"""` + v + `"""`
	case strings.ContainsAny(v, "#;"):
		return "`" + v + "`"
	case strings.TrimSpace(v) != v:
		return `"` + v + `"`
	}
	return v
}

// readIni reads a value as gopkg.in/ini.v1 does.
func readIni(v string) string {
	for _, q := range []string{`"""`, "`", `"`, "'"} {
		if len(v) >= 2*len(q) && strings.HasPrefix(v, q) && strings.HasSuffix(v, q) {
			return v[len(q) : len(v)-len(q)]
		}
	}
	if i := strings.IndexAny(v, "#;"); i >= 0 {
		v = strings.TrimSpace(v[:i])
	}
	return v
}

// users of a stand-in for Gitea are in a file beside app.ini.
const giteaUsers = "/etc/gitea/users.json"

func giteaCommand(c *Container, p *hosttest.Process, args []string) int {
	var users []string
	if b, err := c.File(giteaUsers); err == nil {
		_ = json.Unmarshal(b, &users) // written below
	}
	value := func(flag string) string {
		if i := slices.Index(args, flag); i > 0 && i+1 < len(args) {
			return args[i+1]
		}
		return ""
	}
	line := strings.Join(args[:min(4, len(args))], " ")
	switch {
	case line == "gitea admin user list":
		if !slices.Contains(args, "--admin") {
			fmt.Fprintln(p.Stderr(), "composetest: gitea: only the administrators are known")
			return 1
		}
		fmt.Fprintln(p.Stdout(), "ID   Username Email IsActive")
		for i, u := range users {
			fmt.Fprintf(p.Stdout(), "%d    %s     %s@x true\n", i+1, u, u)
		}
		return 0
	case line == "gitea admin user create":
		if slices.Contains(args, "--password") {
			fmt.Fprintln(p.Stderr(), "composetest: a password in an argument")
			return 1
		}
		if slices.Contains(users, value("--username")) {
			fmt.Fprintln(p.Stderr(), "Command error: CreateUser: user already exists")
			return 1
		}
		c.docker.change(p)
		b, err := json.Marshal(append(users, value("--username")))
		if err != nil || c.WriteFile(giteaUsers, b) != nil {
			return 1
		}
		fmt.Fprintln(p.Stdout(), "generated random password is 'throw-me-away'")
		return 0
	}
	fmt.Fprintf(p.Stderr(), "composetest: gitea: unknown command %q\n", args)
	return 127
}
