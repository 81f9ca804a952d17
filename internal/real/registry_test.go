package real_test

import (
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

func TestRegistry(t *testing.T) {
	d := real.Docker(t)
	r := real.Registry(t, d.Gateway+":0")
	name := r.Addr + "/app"
	d.ImportBusybox(t, name+":1")
	if got := must(t, d.Machine, "sudo docker push -q "+name+":1"); got != name+":1" {
		t.Errorf("pushed %q", got)
	}
	digest := r.Digest(t, "app", "1")
	if !strings.HasPrefix(digest, "sha256:") {
		t.Fatalf("its digest is %q", digest)
	}
	must(t, d.Machine, "sudo docker rmi "+name+":1")
	r.Stop(t)
	if _, err := d.Run(t.Context(), "sudo docker pull "+name+"@"+digest); err == nil ||
		!strings.Contains(err.Error(), "connection refused") {
		t.Errorf("from a registry that is down: %v", err)
	}
	r.Start(t)
	must(t, d.Machine, "sudo docker pull -q "+name+"@"+digest)
}
