"""What trains students: plain.py is one student, the reference; read it first."""
