package cloudflaretest

import (
	"encoding/json"
	"net/http"
	"time"
)

// setting is a setting of a zone.
type setting struct {
	ID       string          `json:"id"`
	Value    json.RawMessage `json:"value"`
	Editable bool            `json:"editable"`
	Modified *time.Time      `json:"modified_on"`
}

// newSettings are some of those that a new zone with the free plan has.
func newSettings() map[string]*setting {
	all := map[string]*setting{}
	for id, value := range map[string]string{"ssl": `"full"`, "always_use_https": `"off"`, "min_tls_version": `"1.0"`,
		"brotli": `"on"`, "browser_cache_ttl": `14400`, "tls_1_3": `"on"`, "automatic_https_rewrites": `"off"`,
		"security_header": `{"strict_transport_security":{"enabled":false,"include_subdomains":false,"max_age":0,"nosniff":false}}`} {
		all[id] = &setting{ID: id, Value: json.RawMessage(value), Editable: true}
	}
	all["image_resizing"] = &setting{ID: "image_resizing", Value: json.RawMessage(`"off"`)} // of another plan
	return all
}

func (s *Server) settingRoutes(mux *http.ServeMux) {
	const one = "/zones/{zone}/settings/{setting}"
	s.handle(mux, "GET "+one, func(c *call) answer { return ok(c.setting()) })
	s.handle(mux, "PATCH "+one, func(c *call) answer {
		x := c.setting()
		var in struct {
			Value json.RawMessage `json:"value"`
		}
		c.read(&in)
		if !x.Editable {
			return refuse(http.StatusBadRequest, 1007, "Invalid value for zone setting %s", x.ID)
		}
		if len(in.Value) == 0 || in.Value[0] != x.Value[0] && x.Value[0] != '1' {
			return refuse(http.StatusBadRequest, 1007, "Invalid value for zone setting %s", x.ID)
		}
		at := now()
		x.Value, x.Modified = in.Value, &at
		return ok(x)
	})
}

func (c *call) setting() *setting {
	x := c.zoneOf().settings[c.req.PathValue("setting")]
	if x == nil {
		panic(refuse(http.StatusBadRequest, 1006, "Unrecognized zone setting name"))
	}
	return x
}
