package ovh_test

import "testing"
import "gitea.arcodange.lab/arcodange-org/lab/cloudedge/ovh/ovhtest"

func TestFirst(t *testing.T) {
	w := newWorld(t, ovhtest.Config{})
	contracts(t, w.Server)
	w.account.Log = nil
	t.Log(w.converge(t))
	t.Log(w.Served(domain), w.Clients(), w.Policies(), w.NameServers(domain), w.Requests())
}
