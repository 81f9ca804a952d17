package real_test

import (
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

func TestGiteaImages(t *testing.T) {
	d := real.Docker(t)
	d.ImportGitea(t, "gitea/gitea:"+real.GiteaVersion+"-rootless")
	d.ImportRunner(t, "gitea/runner:"+real.RunnerVersion)
	gitea := "gitea/gitea:" + real.GiteaVersion + "-rootless"
	got := must(t, d.Machine, "sudo docker run --rm "+gitea+" gitea --version")
	if !strings.Contains(got, real.GiteaVersion) {
		t.Errorf("gitea: got %q", got)
	}
	got = must(t, d.Machine, "sudo docker run --rm --entrypoint gitea-runner gitea/runner:"+real.RunnerVersion+" --version")
	if !strings.Contains(got, real.RunnerVersion) {
		t.Errorf("runner: got %q", got)
	}
	got = must(t, d.Machine, "printf 'from a file\\n' >v; sudo docker run --rm -v $PWD/v:/v:ro "+
		"-e GITEA__a_0X2E_b__KEY=1 -e GITEA__database__PASSWD__FILE=/v "+gitea+
		" sh -c 'id -u; stat -c %a /etc/gitea; cat /etc/gitea/app.ini'")
	if !strings.HasPrefix(got, "1000\n700\n") ||
		!strings.Contains(got, "[a.b]\nKEY = 1") || !strings.Contains(got, "= from a file\n") {
		t.Errorf("app.ini:\n%s", got)
	}
}
