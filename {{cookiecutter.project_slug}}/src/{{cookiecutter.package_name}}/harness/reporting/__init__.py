"""What is shown of the evidence: terminal, Markdown, figures, HTML."""
