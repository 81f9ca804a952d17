package hostsuite

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

func repairsDrift(t *testing.T, subject Subject) {
	s := subject.open(t)
	st := s.state()
	s.apply(t, st)
	q := func(name string) string { return ssh.Quote(s.path(name)) }
	drifts := map[string][]string{ // what is done to the machine, and the resources that it concerns
		"chmod 0777 " + q("d"):                                        {"directory:" + s.path("d")},
		"echo x >>" + q("d/plain"):                                    {"file:" + s.path("d/plain")},
		"chmod 0600 " + q("d/plain"):                                  {"file:" + s.path("d/plain")},
		"chown 12345:12345 " + q("d/big"):                             {"file:" + s.path("d/big")},
		"rm " + q("d/template"):                                       {"file:" + s.path("d/template")},
		"touch " + q("d/gone"):                                        {"file:" + s.path("d/gone")},
		"sed -i s/one=1/one=2/ " + q("d/lines"):                       {"line:" + s.path("d/lines") + ":^one="},
		"sed -i '/^x$/d' " + q("d/lines"):                             {"block:" + s.path("d/lines") + ":b"},
		"ln -sfn elsewhere " + q("d/link"):                            {"link:" + s.path("d/link")},
		"rm " + q("d/seed"):                                           {"command:seed"},
		"rm " + q("d/plain") + "; ln -s /dev/null " + q("d/plain"):    {"file:" + s.path("d/plain")},
		"truncate -s 100 " + q("d/big") + "; chmod 644 " + q("d/big"): {"file:" + s.path("d/big")},
	}
	if s.Dir == "" {
		maps.Copy(drifts, map[string][]string{
			"gpasswd -d labtest adm":                                 {"user:labtest"},
			"usermod -c other labtest":                               {"user:labtest"},
			"sysctl -w net.ipv4.ip_forward=0":                        {"sysctl:net.ipv4.ip_forward/now"},
			"rm /etc/sysctl.d/90-lab.conf":                           {"sysctl:net.ipv4.ip_forward"},
			"systemctl disable lab-conformance.service":              {"unit:lab-conformance.service/enable"},
			"systemctl stop lab-conformance.service":                 {"unit:lab-conformance.service/start"},
			"systemctl stop lab-tick.timer":                          {"unit:lab-tick.timer/start"},
			"rm /etc/cron.d/lab-conformance":                         {"file:/etc/cron.d/lab-conformance"},
			"rm /home/labtest/.ssh/authorized_keys":                  {"authorizedkey:labtest:AAAAC3NzaC1lZDI1NTE5AAAAIKxTvCOEjMGL1bkFP6kqLz1EwbA3Lqe8a0dIVyyTyJrh"},
			"echo '#' >>/etc/systemd/system/lab-conformance.service": {"file:/etc/systemd/system/lab-conformance.service", "systemd:daemon-reload", "unit:lab-conformance.service/restart"},
		})
	}
	for _, drift := range slices.Sorted(maps.Keys(drifts)) {
		s.sh(t, drift)
		p := s.plan(t, st)
		got := changeIDs(p)
		want := slices.Clone(drifts[drift])
		if s.Dir == "" && slices.Contains(want, "file:"+s.path("d/plain")) && strings.Contains(p.String(), "content differs") || strings.Contains(drift, "ln -s /dev/null") && s.Dir == "" {
			want = append(want, "unit:lab-conformance.service/restart") // which reads that file
		} else if s.Dir == "" && strings.HasPrefix(drift, "chmod 0600") {
			want = append(want, "unit:lab-conformance.service/restart")
		}
		if !slices.Equal(got, want) {
			t.Errorf("after %q the plan is %q, want %q", drift, got, want)
		}
		s.apply(t, st)
	}
}
