"""The API only reads: Litestar over schema `projection`, in the session role ft_api."""
