package addon_test

import (
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
	"gitea.arcodange.lab/arcodange-org/lab/k3s/addon"
	"sigs.k8s.io/yaml"
)

// TestCoreDNSReal lets the real CoreDNS import what the add-on says, as k3s' Corefile does, and asks it for a name of
// the domain while the first of its servers is down, and for one of the cluster's own.
func TestCoreDNSReal(t *testing.T) {
	const domain = "arcodange.lab"
	upstream := real.CoreDNS(t, domain+":PORT {\n    hosts {\n        192.168.1.201 pi1."+domain+"\n    }\n}\n", nil)
	c := &addon.CoreDNS{Domain: domain, Servers: []string{"192.0.2.1", "192.0.2.2"}}
	objects, err := c.Objects()
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Data map[string]string `json:"data"`
	}
	if err := yaml.Unmarshal([]byte(objects[0].YAML()), &config); err != nil || len(config.Data) != 1 {
		t.Fatal(err, config)
	}
	imported := map[string]string{}
	for name, block := range config.Data {
		if !strings.HasSuffix(name, ".server") {
			t.Errorf("k3s does not import %s", name)
		}
		// On a port of the test's own, and with servers on loopback, the first of which nobody listens at.
		block = strings.Replace(block, domain+":53", domain+":PORT", 1)
		imported[name] = strings.Replace(block, "192.0.2.1 192.0.2.2", "127.0.0.1:1 "+upstream, 1)
	}
	addr := real.CoreDNS(t, ".:PORT {\n    errors\n    hosts {\n        10.43.0.1 kubernetes.default.svc.cluster.local\n    }\n}\n"+
		"import *.server\n", imported)
	for name, works := range map[string]bool{
		"pi1." + domain: true, "kubernetes.default.svc.cluster.local": true, "pi9." + domain: false} {
		err := addon.Resolves((*lab.Boundary)(nil), addr, name)(t.Context())
		if (err == nil) != works {
			t.Errorf("%s: %v", name, err)
		}
	}
}
