"""The post-mortem draft: verdict, timeline, figures, who was hit, actions, outcomes. No secrets, no prompts."""
