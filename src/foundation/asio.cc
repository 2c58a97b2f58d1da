// The one translation unit with Boost.Asio's separately compiled body (BOOST_ASIO_SEPARATE_COMPILATION).
#include <boost/asio/impl/src.hpp>
