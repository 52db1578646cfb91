package version

import (
	"runtime/debug"
	"testing"
)

func TestBuild(t *testing.T) {
	tests := []struct {
		name     string
		settings []debug.BuildSetting
		want     Build
	}{
		{
			name: "outside_a_repository",
			want: Build{Date: unknownDate},
		},
		{
			name: "clean_tree",
			settings: []debug.BuildSetting{
				{Key: "vcs.revision", Value: "0123456789abcdef0123456789abcdef01234567"},
				{Key: "vcs.time", Value: "2026-03-04T05:06:07+02:00"},
				{Key: "vcs.modified", Value: "false"},
			},
			want: Build{Revision: "01234567", Date: "2026-03-04T03:06:07Z"},
		},
		{
			name: "changed_tree",
			settings: []debug.BuildSetting{
				{Key: "vcs.modified", Value: "true"},
				{Key: "vcs.revision", Value: "0123456789abcdef"},
			},
			want: Build{Revision: "01234567+CHANGES", Date: unknownDate},
		},
		{
			name: "odd_values",
			settings: []debug.BuildSetting{
				{Key: "vcs.revision", Value: "abc"},
				{Key: "vcs.time", Value: "yesterday"},
			},
			want: Build{Revision: "abc", Date: unknownDate},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := build(tt.settings); got != tt.want {
				t.Errorf("build() = %+v, want %+v", got, tt.want)
			}
		})
	}
}
