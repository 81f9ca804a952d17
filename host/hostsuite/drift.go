package hostsuite

import (
	"maps"
	"slices"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// repairsDrift: a plan contains exactly the changes that repair what was done to the machine by hand.
func repairsDrift(t *testing.T, subject Subject) {
	s := subject.open(t)
	st := s.state()
	s.apply(t, st)
	drifts := s.drifts()
	for _, drift := range slices.Sorted(maps.Keys(drifts)) {
		s.sh(t, drift)
		if got, want := changeIDs(s.plan(t, st)), drifts[drift]; !slices.Equal(got, want) {
			t.Errorf("after %q the plan is %q, want %q", drift, got, want)
		}
		s.apply(t, st)
	}
}

// drifts maps what is done to the machine by hand to the changes that repair it.
func (s *suite) drifts() map[string][]string {
	q := func(name string) string { return ssh.Quote(s.path(name)) }
	file := func(name string) string { return "file:" + s.path(name) }
	plain := []string{file("d/plain")}
	if s.Dir == "" {
		plain = append(plain, "unit:lab-conformance.service/restart") // the unit reads that file
	}
	drifts := map[string][]string{
		"chmod 0777 " + q("d"):                                        {"directory:" + s.path("d")},
		"echo x >>" + q("d/plain"):                                    plain,
		"chmod 0600 " + q("d/plain"):                                  plain,
		"chown 12345:12345 " + q("d/big"):                             {file("d/big")},
		"rm " + q("d/template"):                                       {file("d/template")},
		"touch " + q("d/gone"):                                        {file("d/gone")},
		"sed -i s/one=1/one=2/ " + q("d/lines"):                       {"line:" + s.path("d/lines") + ":^one="},
		"sed -i '/^x$/d' " + q("d/lines"):                             {"block:" + s.path("d/lines") + ":b"},
		"ln -sfn elsewhere " + q("d/link"):                            {"link:" + s.path("d/link")},
		"rm " + q("d/seed"):                                           {"command:seed"},
		"rm " + q("d/plain") + "; ln -s /dev/null " + q("d/plain"):    plain,
		"truncate -s 100 " + q("d/big") + "; chmod 644 " + q("d/big"): {file("d/big")},
	}
	if s.Dir != "" {
		return drifts
	}
	maps.Copy(drifts, map[string][]string{
		"gpasswd -d labtest adm":                    {"user:labtest"},
		"usermod -c other labtest":                  {"user:labtest"},
		"sysctl -w net.ipv4.ip_forward=0":           {"sysctl:net.ipv4.ip_forward/now"},
		"rm /etc/sysctl.d/90-lab.conf":              {"sysctl:net.ipv4.ip_forward"},
		"systemctl disable lab-conformance.service": {"unit:lab-conformance.service/enable"},
		"systemctl stop lab-conformance.service":    {"unit:lab-conformance.service/start"},
		"systemctl stop lab-tick.timer":             {"unit:lab-tick.timer/start"},
		"rm /etc/cron.d/lab-conformance":            {"file:/etc/cron.d/lab-conformance"},
		"rm /home/labtest/.ssh/authorized_keys":     {"authorizedkey:labtest:" + testKey},
		"echo '#' >>/etc/systemd/system/lab-conformance.service": {
			"file:/etc/systemd/system/lab-conformance.service", "systemd:daemon-reload",
			"unit:lab-conformance.service/restart",
		},
	})
	return drifts
}
