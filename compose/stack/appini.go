package stack

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/internal/script"
)

// appIni is Gitea's app.ini, which its image writes from the environment at every start.
type appIni struct {
	stack, file string
	environment map[string]string // GITEA__section__KEY, without secrets
}

func (a appIni) compose() string { return path.Join(dirOf(a.stack), "compose.yaml") }

func (a appIni) observe(q *host.Query) {
	q.Content(a.file)
	q.Content(a.compose())
}

// iniKey is a key of a section; section is in lower case, and default for the keys before the first.
type iniKey struct{ section, key string }

// String returns the key as [Gitea.Settings] has it.
func (k iniKey) String() string {
	if k.section == "default" {
		return "DEFAULT." + k.key
	}
	return k.section + "." + k.key
}

// readIni reads an INI file as far as Gitea writes one: sections, keys, comments.
func readIni(text string) map[iniKey]string {
	out := map[iniKey]string{}
	section := "default"
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == ';' || line[0] == '#':
		case line[0] == '[' && line[len(line)-1] == ']':
			section = strings.ToLower(strings.TrimSpace(line[1 : len(line)-1]))
		default:
			if k, v, ok := strings.Cut(line, "="); ok {
				out[iniKey{section, strings.TrimSpace(k)}] = iniValue(v)
			}
		}
	}
	return out
}

// iniValue reads a value as Gitea does (gopkg.in/ini.v1, readValue).
func iniValue(v string) string {
	v = strings.TrimSpace(v)
	for _, quote := range []string{`"""`, "`"} {
		if inner, ok := strings.CutPrefix(v, quote); ok {
			if i := strings.LastIndex(inner, quote); i >= 0 {
				return inner[:i]
			}
		}
	}
	if i := strings.IndexAny(v, "#;"); i >= 0 { // a comment
		v = strings.TrimSpace(v[:i])
	}
	if quoted(v) {
		v = v[1 : len(v)-1]
	}
	return v
}

// quoted reports whether a value is within quotes, which Gitea writes as they are and does not read
// back.
func quoted(v string) bool {
	return len(v) > 1 && (v[0] == '"' || v[0] == '\'') && strings.IndexByte(v[1:], v[0]) == len(v)-2
}

// survivesIni reports whether Gitea reads a value as it was set.
func survivesIni(v string) bool { return !quoted(v) && !strings.ContainsAny(v, "\n\r") }

// iniKeyOf reads the name of a variable: GITEA__section__KEY, and KEY__FILE for one whose value is
// in a file.
func iniKeyOf(variable string) (iniKey, bool) {
	rest, ok := strings.CutPrefix(variable, "GITEA__")
	section, key, ok2 := strings.Cut(rest, "__")
	if !ok || !ok2 {
		return iniKey{}, false
	}
	section = cmp.Or(strings.NewReplacer("_0X2E_", ".", "_0X2D_", "-").Replace(section), "default")
	return iniKey{strings.ToLower(section), strings.TrimSuffix(key, "__FILE")}, true
}

// plainEnvironment returns the variables that set app.ini, without those whose value is in a file.
func plainEnvironment(env object) map[string]string {
	out := map[string]string{}
	for k, v := range env {
		if strings.HasPrefix(k, "GITEA__") {
			out[k] = fmt.Sprint(v)
		}
	}
	return out
}

// environmentOf returns the environment of the service in a compose.yaml as it lies on the machine.
func environmentOf(composeYAML []byte) map[string]string {
	var doc struct {
		Services map[string]struct {
			Environment map[string]string `yaml:"environment"`
		} `yaml:"services"`
	}
	_ = yaml.Unmarshal(composeYAML, &doc) // what cannot be read sets nothing
	out := map[string]string{}
	for k, v := range doc.Services["gitea"].Environment {
		out[k] = strings.ReplaceAll(v, "$$", "$")
	}
	return out
}

// leftovers returns the keys of app.ini that a former environment set and the wanted one does not.
func leftovers(ini map[iniKey]string, before, want map[string]string) (out []iniKey) {
	keep := map[iniKey]bool{}
	for v := range want {
		if k, ok := iniKeyOf(v); ok {
			keep[k] = true
		}
	}
	for _, v := range slices.Sorted(maps.Keys(before)) {
		if k, ok := iniKeyOf(v); ok && !keep[k] {
			if _, there := ini[k]; there && !slices.Contains(out, k) {
				out = append(out, k)
			}
		}
	}
	return out
}

// drift returns the keys of app.ini that are not what the environment that the container was
// started with says.
func drift(ini map[iniKey]string, env map[string]string) (out []iniKey) {
	for _, v := range slices.Sorted(maps.Keys(env)) {
		if k, ok := iniKeyOf(v); ok && !strings.HasSuffix(v, "__FILE") && ini[k] != env[v] {
			out = append(out, k)
		}
	}
	return out
}

func words(keys []iniKey) string {
	var out []string
	for _, k := range keys {
		out = append(out, k.String())
	}
	return strings.Join(out, ", ")
}

// appIniKeys removes keys from app.ini that the stack set before and no longer sets. It comes
// before the service is recreated, which is what reads the file.
type appIniKeys struct{ ini appIni }

// ID implements [host.Resource].
func (a appIniKeys) ID() string { return "gitea:" + a.ini.stack + ":app.ini" }

// Validate implements [host.Resource].
func (a appIniKeys) Validate() lab.Problems { return nil }

// Observe implements [host.Resource].
func (a appIniKeys) Observe(q *host.Query) { a.ini.observe(q) }

// Plan implements [host.Resource].
func (a appIniKeys) Plan(o *host.Observation) ([]host.Op, error) {
	text, ok := o.Content(a.ini.file)
	before, ok2 := o.Content(a.ini.compose())
	if !ok || !ok2 {
		return nil, nil
	}
	old := leftovers(readIni(string(text)), environmentOf(before), a.ini.environment)
	if len(old) == 0 {
		return nil, nil
	}
	var set []string
	for _, k := range old {
		set = append(set, k.section+" "+k.key)
	}
	v := script.Variables{"file": a.ini.file, "keys": strings.Join(set, "|")}
	return []host.Op{{Action: lab.Update, Cause: "no longer set: " + words(old),
		Script: script.Join(scripts, v, "appinikeys.sh")}}, nil
}

// appIniDrift restarts Gitea when somebody changed a key that the environment sets: at its start
// the image sets it again.
type appIniDrift struct {
	host.Order
	ini appIni
}

// ID implements [host.Resource].
func (a appIniDrift) ID() string { return "gitea:" + a.ini.stack + ":settings" }

// Validate implements [host.Resource].
func (a appIniDrift) Validate() lab.Problems { return nil }

// Observe implements [host.Resource].
func (a appIniDrift) Observe(q *host.Query) { a.ini.observe(q) }

// Plan implements [host.Resource].
func (a appIniDrift) Plan(o *host.Observation) ([]host.Op, error) {
	text, ok := o.Content(a.ini.file)
	now, ok2 := o.Content(a.ini.compose())
	if !ok || !ok2 {
		return nil, nil
	}
	env := environmentOf(now)
	for k, v := range a.ini.environment {
		if env[k] != v {
			return nil, nil // the service is recreated for it
		}
	}
	differ := drift(readIni(string(text)), env)
	if len(differ) == 0 {
		return nil, nil
	}
	return []host.Op{{Name: "restart", Action: lab.Run, Cause: "changed in app.ini: " + words(differ),
		Risk:   lab.RiskRestart,
		Script: inService(a.ini.stack, "gitea", nil, "wait.sh") + "restart\nwait_until_healthy\n"}}, nil
}
