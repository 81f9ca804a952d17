package lab_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
)

func ExampleApp_In() {
	app := lab.App("dance-lessons-coach")
	for _, i := range []lab.Instance{lab.App("erp").In(lab.Prod), lab.App("erp").In("sandbox"), app.In("")} {
		fmt.Println(i.ID(), i.OwnerRole(), i.Host("arcodange.lab"), i.StatePrefix())
		fmt.Println(" ", i.VaultPolicy(), i.VaultOpsPolicy(), i.VaultJWTRole())
	}
	// Output:
	// erp erp_role erp.arcodange.lab erp/main
	//   erp erp-ops gitea_cicd_erp
	// erp-sandbox erp_sandbox_role erp-sandbox.arcodange.lab erp-sandbox/main
	//   erp-sandbox erp-ops gitea_cicd_erp
	// dance-lessons-coach dance-lessons-coach_role dance-lessons-coach.arcodange.lab dance-lessons-coach/main
	//   dance-lessons-coach dance-lessons-coach-ops gitea_cicd_dance-lessons-coach
}

func TestValidateInstances(t *testing.T) {
	in := func(words ...string) (out []lab.Instance) {
		for _, w := range words {
			app, env, _ := strings.Cut(w, "/")
			out = append(out, lab.App(app).In(env))
		}
		return out
	}
	for _, c := range []struct {
		name      string
		instances []lab.Instance
		want      string // a part of the error; empty for none
	}{
		{"the lab", in("webapp", "erp", "erp/sandbox", "crowdsec", "plausible", "dance-lessons-coach"), ""},
		{"longest", in(strings.Repeat("a", 40) + "/" + strings.Repeat("b", 15)), ""},
		{"too long", in(strings.Repeat("a", 41)), "not an app name"},
		{"env too long", in("a/" + strings.Repeat("b", 16)), "not an environment name"},
		{"upper case", in("MyApp"), `write "myapp"`},
		{"underscore", in("my_app"), `write "my-app"`},
		{"double hyphen", in("a--b"), "not an app name"},
		{"leading digit", in("1a"), "not an app name"},
		{"empty", in(""), "not an app name"},
		{"env with hyphen", in("a/b-c"), "not an environment name"},
		{"twice", in("a", "b", "a"), "named twice"},
		{"prod twice", in("a", "a/prod"), "named twice"},
		{"a-b with a in b", in("a-b", "a/b"), "would share the"},
		{"ops", in("erp", "erp/ops"), "Vault policy erp-ops"},
		{"an app that is another's policy", in("erp-ops", "erp"), "Vault policy erp-ops"},
	} {
		err := lab.ValidateInstances(c.instances)
		if c.want == "" && err != nil || c.want != "" &&
			(err == nil || !strings.Contains(err.Error(), c.want) || !errors.Is(err, lab.ErrInvalid)) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// FuzzValidateInstances: accepted instances share no name, and their names are not too long for
// their systems.
func FuzzValidateInstances(f *testing.F) {
	f.Add("a-b", "prod", "a", "b")
	f.Add("erp", "ops", "erp", "prod")
	f.Fuzz(func(t *testing.T, a, e, b, g string) {
		x, y := lab.App(a).In(e), lab.App(b).In(g)
		if lab.ValidateInstances([]lab.Instance{x, y}) != nil {
			return
		}
		for _, pair := range [][2]string{{x.ID(), y.ID()}, {x.OwnerRole(), y.OwnerRole()},
			{x.VaultPolicy(), y.VaultOpsPolicy()}, {x.VaultOpsPolicy(), y.VaultPolicy()}} {
			if pair[0] == pair[1] {
				t.Errorf("%v and %v share %s", x, y, pair[0])
			}
		}
		if len(x.OwnerRole()) > 63 || len(x.ID()) > 63 {
			t.Errorf("the names of %v are too long", x)
		}
	})
}
