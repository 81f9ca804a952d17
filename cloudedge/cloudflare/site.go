package cloudflare

import (
	"cmp"
	"maps"
	"slices"
)

// Site is what the edge of a web site consists of: a zone, a Pages project that serves the domain itself and its www, a tunnel
// for what runs at home, a Turnstile widget, a bucket for the state of its OpenTofu, and a token by which its
// repository changes all of these. [Site.Spec] says it in full.
type Site struct {
	Name   string `yaml:"name,required"`   // of the project, the tunnel, the widget and the token: "cms"
	Domain string `yaml:"domain,required"` // "arcodange.fr"
	Create bool   `yaml:"create"`          // the zone, if the account does not have it

	Bucket       string `yaml:"bucket"`       // for the state of OpenTofu; empty: none
	Jurisdiction string `yaml:"jurisdiction"` // of the bucket; empty means eu

	Hosts   []string `yaml:"hosts"`   // names in the zone that the tunnel serves: "app", "*"; empty: there is no tunnel
	Service string   `yaml:"service"` // to which it leads: "https://traefik.kube-system.svc.cluster.local:443"

	// Secret is the path below which the secrets are in the sink, as "cms": the token is in the entry cms/cloudflare, that of
	// the tunnel in cms/tunnel, and the widget in cms/turnstile. Empty means the name.
	Secret string `yaml:"secret"`

	Settings map[string]string `yaml:"settings"` // of the zone, beside ssl: strict, always_use_https: on and min_tls_version: 1.2
	Records  []Record          `yaml:"records"`  // beside those of the site, such as those of its mail
}

// Spec returns what the account must have for the site. No home port is open: what runs at home is reached by the tunnel
// alone.
func (s Site) Spec() Spec {
	bucket := Bucket{Name: s.Bucket, Jurisdiction: cmp.Or(s.Jurisdiction, "eu")}
	below := cmp.Or(s.Secret, s.Name) + "/"
	on := true
	spec := Spec{
		Pages:   []Page{{Name: s.Name, Domains: []string{s.Domain, "www." + s.Domain}}},
		Widgets: []Widget{{Name: s.Name, Domains: []string{s.Domain, "www." + s.Domain}, Secret: below + "turnstile"}},
	}
	zone := Zone{Name: s.Domain, Create: s.Create,
		Settings: map[string]string{"ssl": "strict", "always_use_https": "on", "min_tls_version": "1.2"},
		Records: []Record{
			{Name: "@", Type: "CNAME", Contents: []string{s.Name + ".pages.dev"}, Proxied: &on},
			{Name: "www", Type: "CNAME", Contents: []string{s.Name + ".pages.dev"}, Proxied: &on},
		}}
	maps.Copy(zone.Settings, s.Settings)
	token := Token{Name: s.Name, Secret: below + "cloudflare", Grants: []Grant{
		{Permissions: []string{"Pages Write", "Turnstile Sites Write"}, Account: true},
		{Permissions: []string{"DNS Write", "Zone Read", "Zone Settings Write"}, Zones: []string{s.Domain}}}}
	if len(s.Hosts) > 0 {
		tunnel := Tunnel{Name: s.Name, Secret: below + "tunnel", Ingress: []Ingress{}}
		for _, h := range s.Hosts {
			name := whole(h, host(s.Domain))
			tunnel.Ingress = append(tunnel.Ingress, Ingress{Hostname: name, Service: s.Service})
			zone.Records = append(zone.Records, Record{Name: h, Type: "CNAME", Contents: []string{tunnelPrefix + s.Name}, Proxied: &on})
		}
		spec.Tunnels = []Tunnel{tunnel}
		token.Grants[0].Permissions = append(token.Grants[0].Permissions, "Cloudflare Tunnel Write")
	}
	if s.Bucket != "" {
		spec.Buckets = []Bucket{bucket}
		token.S3 = true
		token.Grants = append(token.Grants, Grant{Permissions: []string{"Workers R2 Storage Bucket Item Write"},
			Buckets: []string{bucket.key()}})
	}
	zone.Records = slices.Concat(zone.Records, s.Records)
	spec.Zones, spec.Tokens = []Zone{zone}, []Token{token}
	return spec
}
