package main

import (
	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov"
)

// say says with which flag a setting is set; "" when there is none.
func say(s lab.Setting) string {
	switch s.Name {
	case pgprov.SettingPG15:
		return "--allow-pg15"
	case pgprov.SettingIdentity:
		return "--identity IDENTIFIER"
	case pgprov.SettingPrograms:
		return "--programs DIR"
	case lab.SettingBoundary:
		return "--allow ADDRESS"
	}
	return ""
}
