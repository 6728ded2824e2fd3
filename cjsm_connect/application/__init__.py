"""The application for a server connection: its forms with their answers, users, terms, and what each rests on."""
