package hostsuite

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

func lawOfSecrets(t *testing.T, subject Subject) {
	s := subject.open(t)
	const a, b, c, d = "s3cret-in-a-file-Kx81", "s3cret 'in' a \"template\" \\ $x", "s3cret-of-a-command-Jw", "s3cret\nof two lines-Zz\n"
	var told []string
	tell := func(v ...any) { told = append(told, fmt.Sprintf("%v|%+v|%#v", v, v, v)) }
	secretFile := host.File{Path: s.path("secret"), Value: lab.NewSecret(a)}
	st := host.State{
		secretFile,
		host.File{Path: s.path("template"), Mode: 0o600, Template: `x={{secret "b"}} y={{secret "d"}}`, Values: map[string]lab.Secret{"b": lab.NewSecret(b), "d": lab.NewSecret(d)}},
		host.Command{Name: "use", Creates: s.path("used"), Values: map[string]lab.Secret{"TOKEN": lab.NewSecret(c)},
			Run: "ps -e -o args= >" + ssh.Quote(s.path("used")) + `; printf '%s\n' "$TOKEN" | wc -c`},
		host.Command{Name: "blab", Creates: s.path("never"), Values: map[string]lab.Secret{"TOKEN": lab.NewSecret(c)}, Run: `echo "cannot log in with $TOKEN"; exit 3`},
	}
	if s.Dir == "" {
		st = append(st, host.User{Name: "labsecret", Hash: lab.NewSecret("$6$saltsalt$" + strings.Repeat("h", 40))})
	}
	tell(st)
	for range 2 {
		p, err := s.m.Plan(t.Context(), s.kinds(st))
		if err != nil {
			t.Fatal(err)
		}
		j, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		tell(p, string(j), p.Changes())
		r, err := p.Apply(t.Context(), &lab.ApplyOptions{Events: func(e lab.Event) {
			j, err := json.Marshal(e)
			tell(e, string(j), err)
		}})
		if err == nil {
			t.Fatal("the command that fails did not")
		}
		j, jerr := json.Marshal(r)
		tell(err, r, string(j), jerr, lab.Hints(err))
		// a file that is not readable for all, whose secret changes, and a machine that refuses
		st[0] = host.File{Path: s.path("secret"), Value: lab.NewSecret(a + "2")}
	}
	told = append(told, s.sh(t, "cat "+ssh.Quote(s.path("used"))))
	if s.Dir == "" {
		told = append(told, s.sh(t, "grep -r -s -l -F -e s3cret /tmp /run /var/tmp /var/log /etc /root 2>/dev/null || :"))
	}
	told = append(told, s.sh(t, fmt.Sprintf("find %s -name '.lab-*'", ssh.Quote(strings.TrimSuffix(s.path(""), "/")))))
	for _, text := range told {
		for _, secret := range []string{a, b, c, "of two lines-Zz", "$6$saltsalt"} {
			if strings.Contains(text, secret) {
				t.Errorf("law 6: %q is in %.300q", secret, text)
			}
		}
	}
	if told[len(told)-1] != "" || s.Dir == "" && told[len(told)-2] != "" {
		t.Errorf("law 6: stray files: %q", told[len(told)-2:])
	}
	if got := s.sh(t, "cat "+ssh.Quote(s.path("template"))); got != "x="+b+" y="+d {
		t.Errorf("the template is %q", got)
	}
	if mode := s.sh(t, "stat -c %a "+ssh.Quote(s.path("secret"))); mode != "600\n" {
		t.Errorf("a secret has mode %s", mode)
	}
}
