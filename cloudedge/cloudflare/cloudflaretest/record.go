package cloudflaretest

import "time"

// record is a DNS record.
type record struct {
	ID       string         `json:"id"`
	Name     string         `json:"name"`
	Type     string         `json:"type"`
	Content  string         `json:"content"`
	TTL      int            `json:"ttl"`
	Proxied  bool           `json:"proxied"`
	Created  time.Time      `json:"created_on"`
	Modified time.Time      `json:"modified_on"`
	Meta     map[string]any `json:"meta"`
}

func (z *zone) named(name string) bool {
	for _, r := range z.records {
		if r.Name == name {
			return true
		}
	}
	return false
}

// addReadOnly adds a record of Cloudflare's own.
func (z *zone) addReadOnly(name, content string) {
	z.records = append(z.records, &record{ID: newID(), Name: name, Type: "CNAME", Content: content, TTL: 1, Proxied: true,
		Created: now(), Modified: now(), Meta: map[string]any{"read_only": true, "r2_bucket": true}})
}

type setting struct{}

func newSettings() map[string]*setting { return nil }
