"""A Space of Hugging Face that labels photographs: upload this folder as it is."""

from spn.web.serve import serve

if __name__ == "__main__":
    serve(host=None)  # the Space says where it listens
