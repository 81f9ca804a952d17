package compose

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"gitea.arcodange.lab/arcodange-org/lab"
)

var (
	secretName = regexp.MustCompile(`(?i)(^|_|PG)(PASSWORD|PASSWD|PASSPHRASE|PASS|WEBPASSWORD|SECRET|TOKEN|AUTHKEY|` +
		`PRIVATE_KEY|SECRET_KEY|ACCESS_KEY|ENCRYPTION_KEY|SIGNING_KEY|MASTER_KEY|APP_KEY|SECRET_KEY_BASE|API_KEY|APIKEY|` +
		`CREDENTIALS?)$|_PWD$`)
	secretFlag = regexp.MustCompile(`(?i)^--?([a-z0-9._-]*[._-])?(password|passwd|passphrase|pass|secret|token|requirepass|` +
		`masterauth|api-?key|secret-?key|private-?key)$`)
	urlSecret    = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://[^/\s:@]*:[^/\s@]+@`)
	secretOption = regexp.MustCompile(`(?i)(^|,)(pass|password|passwd|secret)=[^,]`)
	plainWord    = regexp.MustCompile(`(?i)^(true|false|yes|no|on|off|[01]|/run/secrets/.*)?$`)
)

// minSecret is how long a value must be to be looked for: shorter ones are found in what does not
// hold them.
const minSecret = 8

// The settings that hints of this package name, see [lab.Setting].
const (
	SettingPlain    = "compose.plain"    // what looks like a secret and is none, see [Source].PlainEnvironment; its name
	SettingVariable = "compose.variable" // a variable of the compose.yaml, see [Source].Variables; its name
	SettingLock     = "compose.lock"     // the digests of the images, see [Lock]
	SettingResolve  = "compose.resolve"  // the machine whose Docker Engine looks images up, see [Resolve]
)

// plainHint says how what looks like a secret is let through; plainSetting says what to set for it.
func plainHint(name string) string {
	return "if the value is no secret, name " + name + " as plain"
}

func plainSetting(name string) lab.Setting { return lab.Setting{Name: SettingPlain, Value: name} }

const shows = "docker inspect would show the secret to everybody who may use docker"

// exposed reports what looks like a secret in the environment or the arguments of a service.
func (l *loading) exposed(name string, s types.ServiceConfig) {
	at := "services." + name
	plain := func(what string) bool { return slices.Contains(l.source.PlainEnvironment, name+"."+what) }
	for _, k := range slices.Sorted(maps.Keys(s.Environment)) {
		v, place := s.Environment[k], at+".environment."+k
		switch {
		case plain(k) || slices.Contains(l.source.PlainEnvironment, k) || plainWord.MatchString(*v):
		case secretName.MatchString(k):
			l.add(place, "use a secret of the compose.yaml and "+k+"_FILE; "+plainHint(name+"."+k), shows).Set =
				plainSetting(name + "." + k)
		case urlSecret.MatchString(*v):
			l.add(place, "use a secret of the compose.yaml, and a variable that names its file; "+plainHint(name+"."+k),
				"holds a URL with a password, and "+shows).Set = plainSetting(name + "." + k)
		}
	}
	if s.Logging != nil {
		for _, k := range slices.Sorted(maps.Keys(s.Logging.Options)) {
			if secretName.MatchString(strings.ReplaceAll(k, "-", "_")) && !plain("logging") {
				l.add(at+".logging.options."+k, "set it for the whole engine, in /etc/docker/daemon.json; "+
					plainHint(name+".logging"), "%s", shows).Set = plainSetting(name + ".logging")
			}
		}
	}
	lines := [][]string{s.Command, s.Entrypoint}
	if s.HealthCheck != nil {
		lines = append(lines, s.HealthCheck.Test)
	}
	for key, words := range lines {
		if flag := secretArgument(words); flag != "" && !plain("command") {
			l.add(at+"."+[...]string{"command", "entrypoint", "healthcheck.test"}[key],
				"use a secret of the compose.yaml, and the option that names its file; "+plainHint(name+".command"),
				"%s has a value: every process of the machine can read it, and %s", flag, shows).Set =
				plainSetting(name + ".command")
		}
	}
}

// secretArgument returns the option that gives a secret among the arguments of a program, "" when
// none does.
func secretArgument(words []string) string {
	for i, w := range words {
		if len(words) > 2 && i > 0 && words[i-1] == "-c" { // of a shell
			if flag := secretArgument(strings.Fields(w)); flag != "" {
				return flag
			}
		}
		flag, value, inline := strings.Cut(w, "=")
		if !secretFlag.MatchString(flag) {
			continue
		}
		if !inline && i+1 < len(words) {
			value = words[i+1]
		}
		// What a shell fills in when it runs is not written down.
		if value = strings.Trim(value, `"'`); !plainWord.MatchString(value) && !strings.HasPrefix(value, "-") &&
			!strings.HasPrefix(value, "$") {
			return flag
		}
	}
	return ""
}

// words are those by which a project names what it has, as they are written: a password that is one
// of them, as of an example, cannot be told from the name.
func (l *loading) words() map[string]bool {
	p, written := l.project, l.places()
	out := map[string]bool{p.Name: true}
	add := func(names ...string) {
		for _, n := range names {
			out[n] = out[n] || len(written[n]) > 0
		}
	}
	for name, s := range p.Services {
		out[name] = true
		add(s.ContainerName, s.Hostname)
		if len(written[s.Image]) > 0 {
			for n := range strings.FieldsFuncSeq(s.Image, func(r rune) bool { return r == '/' || r == ':' }) {
				out[n] = true
			}
		}
	}
	for key, n := range p.Networks {
		out[key] = true
		add(n.Name)
	}
	for key, v := range p.Volumes {
		out[key] = true
		add(v.Name)
	}
	return out
}

// secretVariable returns the variable that is a secret, by its name, and whose value is in a text;
// "" when there is none.
func (l *loading) secretVariable(text string) string {
	for _, k := range slices.Sorted(maps.Keys(l.variables)) {
		if v := l.variables[k]; secretName.MatchString(k) && len(v) >= minSecret && !plainWord.MatchString(v) &&
			strings.Contains(text, v) && !l.named[v] && !slices.Contains(l.source.PlainEnvironment, k) {
			return k
		}
	}
	return ""
}

// filledIn reports secrets that variables put into the document.
func (l *loading) filledIn(doc map[string]any) (ps lab.Problems) {
	for at, text := range texts(doc, "") {
		k := l.secretVariable(text)
		if k == "" || slices.ContainsFunc(l.source.PlainEnvironment, func(plain string) bool {
			service, name, _ := strings.Cut(plain, ".")
			own := "services." + service + "."
			return at == own+"environment."+name ||
				name == "command" && strings.HasPrefix(at, own) && !strings.HasPrefix(at, own+"environment.")
		}) {
			continue
		}
		ps = append(ps, lab.Problem{Path: at, Message: "holds the value of ${" + k + "}, and " + shows,
			Hint: "use a secret of the compose.yaml; " + plainHint(k), Set: plainSetting(k)})
	}
	return ps
}

// exposed reports secrets that the compose.yaml shows.
func (s Stack) exposed() (ps lab.Problems) {
	for _, f := range s.Files {
		v := strings.TrimSpace(f.Secret.Reveal())
		plain := strings.ReplaceAll(f.Path, "/", ".")
		if len(v) < minSecret || s.named[v] || slices.Contains(s.plain, plain) {
			continue
		}
		for at, text := range texts(s.doc, "") {
			if strings.Contains(text, v) {
				ps = append(ps, lab.Problem{Path: at,
					Message: "the compose.yaml holds the value of " + f.Path + " in plain text",
					Hint:    "mount the secret instead; " + plainHint(plain), Set: plainSetting(plain)})
			}
		}
	}
	return ps
}
