package ovh_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/ovh"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/ovh/ovhtest"
)

// TestErrors answers the first write with each of these, and asks what is said of it.
func TestErrors(t *testing.T) {
	for _, test := range []struct {
		name    string
		failure ovhtest.Failure
		kind    error
		says    string // in the error
		hint    string
	}{
		{"IAM", ovhtest.Failure{Status: 403, Body: `{"class":"Client::Forbidden","message":"User not granted for this request",` +
			`"details":{"unauthorizedActionsByIAM":"dnsZone:apiovh:a,dnsZone:apiovh:b"}}`}, lab.ErrUnauthorized,
			"not allowed by IAM: dnsZone:apiovh:a, dnsZone:apiovh:b", "allow the identity dnsZone:apiovh:a and dnsZone:apiovh:b by a policy"},
		{"Forbidden", ovhtest.Failure{Status: 403, Body: `{"class":"Client::Forbidden","message":"This call has not been granted"}`},
			lab.ErrUnauthorized, "This call has not been granted", "access rules of the consumer key"},
		{"Query", ovhtest.Failure{Status: 400, Body: `{"message":"no"}`, Header: http.Header{"X-Ovh-Queryid": {"EU.ext-9"}}},
			lab.ErrInvalid, "400 Bad Request: no (query EU.ext-9)", ""},
		{"Page", ovhtest.Failure{Status: 503, Body: "<html>we are at lunch"}, lab.ErrUnreachable, "503 Service Unavailable", ""},
		{"Internal", ovhtest.Failure{Status: 500, Body: `{"class":"Server::InternalServerError","message":"Internal server error"}`},
			lab.ErrUnreachable, "Internal server error", ""},
		{"Redirect", ovhtest.Failure{Status: 302, Header: http.Header{"Location": {"http://127.0.0.2/"}}}, lab.ErrRefused, "redirects", ""},
		{"Patience", ovhtest.Failure{Status: 429, Header: http.Header{"Retry-After": {"3600"}}}, lab.ErrBlocked, "429", ""},
		{"Controls", ovhtest.Failure{Status: 400, Body: `{"message":"a\u001b[31m\nb` + strings.Repeat("x", 1000) + `"}`}, lab.ErrInvalid,
			"xxx...", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := zoneOnly(t, ovhtest.Config{}, ovh.Record{Type: "A", Name: "a", Targets: []string{"192.0.2.1"}})
			p := w.plan(t)
			w.FailAt(1, test.failure)
			_, err := p.Apply(t.Context(), nil)
			if !errors.Is(err, test.kind) || !strings.Contains(err.Error(), test.says) || strings.ContainsAny(err.Error(), "\x1b\n<") ||
				!strings.Contains(strings.Join(lab.Hints(err), "; "), test.hint) {
				t.Errorf("%v\n%q", err, lab.Hints(err))
			}
			w.converge(t)
		})
	}
}

// TestTooManyRequests goes on when it is told to wait.
func TestTooManyRequests(t *testing.T) {
	w := newWorld(t, ovhtest.Config{Throttle: 3})
	w.account.Parallel = 1
	w.converge(t)
}
